-- Articles 10 and 11: the declared outbreaks of each place where a unit of annex rows 23 to 28 has people. One row per
-- place and outbreak, up to the end of D. A case alone declares none.
with places as (
    select distinct
        community,
        grid
    from {{ ref('int_membership__unified') }}
    where rule_family = 'outbreak'
),

-- A notice is for every place that it covers; without communities or grids, for all of them.
notices as (
    select
        places.community,
        places.grid,
        declarations.declaration_type,
        declarations.notice_key,
        declarations.started_at,
        declarations.ended_at
    from {{ ref('stg_platform__declarations') }} as declarations
    inner join places
        on
            (cardinality(declarations.communities) = 0 or {{ is_in('places.community', 'declarations.communities') }})
            and (cardinality(declarations.grids) = 0 or {{ is_in('places.grid', 'declarations.grids') }})
    where declarations.started_at < {{ as_of_date() }} + 1
),

-- From a start to the next end that covers the place, or to the notice's own.
bounded as (
    select
        starts.community,
        starts.grid,
        starts.notice_key,
        starts.started_at,
        least(
            case
                when starts.ended_at > starts.started_at and starts.ended_at < {{ as_of_date() }} + 1
                    then starts.ended_at
            end,
            min(ends.started_at)
        ) as ended_at
    from notices as starts
    left join notices as ends
        on
            starts.community = ends.community
            and starts.grid = ends.grid
            and ends.declaration_type = '疫情结束'
            and ends.started_at > starts.started_at
    where starts.declaration_type = '疫情启动'
    group by starts.community, starts.grid, starts.notice_key, starts.started_at, starts.ended_at
),

-- Declared again while it goes on: no second start.
reached as (
    select
        *,
        max(coalesce(ended_at, {{ no_end('timestamp') }})) over (
            partition by community, grid order by started_at, notice_key
            rows between unbounded preceding and 1 preceding
        ) as reached_at
    from bounded
),

islands as (
    select
        *,
        count(*) filter (where started_at > coalesce(reached_at, {{ no_start('timestamp') }}))
            over (partition by community, grid order by started_at, notice_key) as outbreak_number
    from reached
),

final as (
    select
        community,
        grid,
        outbreak_number::int as outbreak_number,
        {{ at_first('notice_key', ['started_at', 'notice_key']) }} as outbreak_id,
        min(started_at)::date as start_date,
        -- The day on which it ended is its last; an end at 0:00 is the end of the day before. Null while it goes on.
        (
            nullif(max(coalesce(ended_at, {{ no_end('timestamp') }})), {{ no_end('timestamp') }}) - interval '1 microsecond'
        )::date as end_date
    from islands
    group by community, grid, outbreak_number
)

select * from final
