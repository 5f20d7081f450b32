-- Article 28: the level of each local zone as of D, and since when. One row per zone declared up to D.
-- The level comes only from the declarations; nothing here changes it.
with declarations as (
    select * from {{ ref('stg_platform__risk_zones') }}
    where effective_date <= {{ as_of_date() }}
),

-- Of several notices on one day the one that was updated last counts.
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
    from {{ first_per('daily', 'zone_key', 'cardinality(communities) = 0, effective_date desc') }} as placed
),

final as (
    select
        history.zone_key as zone_id,
        latest.zone_name as name,
        latest.communities,
        latest.grids,
        history.level,
        history.level_since,
        history.was_high,
        history.previous_level,
        history.previous_level_since
    from history
    inner join latest on history.zone_key = latest.zone_key
    where history.is_present
)

select * from final
