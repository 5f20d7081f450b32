-- Article 28: one row per local zone and run at one level up to D, with its first and last day. The level comes only from the
-- declarations; nothing here changes it.
with declarations as (
    select * from {{ ref('stg_platform__risk_zones') }}
    where effective_date <= {{ as_of_date() }}
),

-- If several notices take effect on one day, the one that was updated last counts.
ordered as (
    select
        *,
        row_number() over (
            partition by zone_key, effective_date order by updated_at desc, file_id desc, line desc
        ) as newest_rank
    from declarations
),

daily as (
    select
        *,
        lag(level) over (partition by zone_key order by effective_date) as previous_level
    from ordered
    where newest_rank = 1
),

runs as (
    select
        *,
        count(*) filter (where level is distinct from previous_level)
            over (partition by zone_key order by effective_date) as run_number
    from daily
),

run_spans as (
    select
        zone_key,
        run_number,
        level,
        min(effective_date) as level_since
    from runs
    group by zone_key, run_number, level
),

history as (
    select
        *,
        lag(level) over by_run as previous_level,
        lag(level_since) over by_run as previous_level_since,
        lead(level_since) over by_run - 1 as level_until,
        coalesce(bool_or(level = '高') over (
            partition by zone_key order by run_number
            rows between unbounded preceding and 1 preceding
        ), false) as was_high,
        run_number = max(run_number) over (partition by zone_key) as is_present
    from run_spans
    window by_run as (partition by zone_key order by run_number)
),

latest as (
    select
        zone_key,
        zone_name,
        communities,
        grids
    -- A notice may leave the place out.
    from (
        select distinct on (zone_key) * from daily
        order by zone_key, cardinality(communities) = 0, effective_date desc
    ) as placed
),

-- A lowering is judged by the zone's area in the declarations before the run.
placed_before as (
    select distinct on (history.zone_key, history.run_number)
        history.zone_key,
        history.run_number,
        runs.communities,
        runs.grids
    from history
    inner join runs on history.zone_key = runs.zone_key and history.run_number > runs.run_number
    order by history.zone_key, history.run_number, cardinality(runs.communities) = 0, runs.effective_date desc
),

final as (
    select
        history.zone_key as zone_id,
        history.run_number,
        latest.zone_name as name,
        latest.communities,
        latest.grids,
        history.level,
        history.level_since,
        history.level_until,
        history.was_high,
        history.previous_level,
        history.previous_level_since,
        case when cardinality(placed_before.communities) > 0 then placed_before.communities else latest.communities end
            as previous_communities,
        case when cardinality(placed_before.communities) > 0 then placed_before.grids else latest.grids end as previous_grids,
        history.is_present
    from history
    inner join latest on history.zone_key = latest.zone_key
    left join placed_before on history.zone_key = placed_before.zone_key and history.run_number = placed_before.run_number
)

select * from final
