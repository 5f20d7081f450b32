-- Articles 10, 11, 23 and 27: one row per outbreak, up to the end of D, of each place (community, grid) that has people of a
-- key site or of a unit of annex rows 23 to 28.
with places as (
    select
        community,
        grid
    from {{ ref('int_membership__unified') }}
    where rule_family = 'outbreak'
    union
    select
        community,
        grid
    from {{ ref('int_disinfection__key_site_members') }}
),

-- An end declared for 0:00 of the day after D belongs to D.
notices as (
    select
        notice_key,
        declaration_type = '疫情启动' as is_opening,
        communities,
        grids,
        started_at
    from {{ ref('stg_platform__declarations') }}
    where
        (declaration_type = '疫情启动' and started_at < {{ as_of_date() }} + 1)
        or (declaration_type = '疫情结束' and started_at <= {{ as_of_date() }} + 1)
),

ends as (select * from notices where not is_opening),

-- An infection is dated by its report time or, without one, by the day of its sample.
cases as (
    select
        case_key,
        coalesce(reported_at, sample_date::timestamp) as found_at
    from {{ ref('stg_platform__cases') }}
    where source = '本土'
),

-- Only the first case since an end, wherever that end applies, can open an outbreak.
ended_before as (
    select
        cases.case_key,
        cases.found_at,
        count(ends.notice_key) as end_count
    from cases
    left join ends on cases.found_at >= ends.started_at
    where cases.found_at < {{ as_of_date() }} + 1
    group by cases.case_key, cases.found_at
),

case_openings as (
    select
        min(found_at) as found_at,
        (array_agg(case_key order by found_at, case_key))[1] as case_key
    from ended_before
    group by end_count
),

-- A notice applies to the communities and grids that it names, or to all if it names none. A case applies to the whole town.
events as (
    select
        places.community,
        places.grid,
        notices.started_at as happened_at,
        notices.is_opening,
        notices.notice_key as event_key
    from notices
    inner join places
        on
            (cardinality(notices.communities) = 0 or places.community = any(notices.communities))
            and (cardinality(notices.grids) = 0 or places.grid = any(notices.grids))
    union all
    select
        places.community,
        places.grid,
        case_openings.found_at,
        true,
        'cases:' || case_openings.case_key
    from case_openings
    cross join places
),

-- At the same moment, an end sorts before an opening. An opening during an open outbreak is ignored.
marked as (
    select
        *,
        is_opening and not coalesce(lag(is_opening) over in_order, false) as is_start
    from events
    window in_order as (partition by community, grid order by happened_at, is_opening, event_key)
),

numbered as (
    select
        *,
        count(*) filter (where is_start) over (
            partition by community, grid order by happened_at, is_opening, event_key
        ) as outbreak_number
    from marked
),

bounded as (
    select
        community,
        grid,
        outbreak_number::int as outbreak_number,
        max(event_key) filter (where is_start) as outbreak_id,
        min(happened_at) filter (where is_start) as started_at,
        min(happened_at) filter (where not is_opening) as ended_at
    from numbered
    where outbreak_number > 0
    group by community, grid, outbreak_number
),

final as (
    select
        community,
        grid,
        outbreak_number,
        outbreak_id,
        started_at,
        started_at::date as start_date,
        -- end_date is the outbreak's last day, so an end at 0:00 belongs to the day before. It is null while the outbreak
        -- continues.
        (ended_at - interval '1 microsecond')::date as end_date
    from bounded
)

select * from final
