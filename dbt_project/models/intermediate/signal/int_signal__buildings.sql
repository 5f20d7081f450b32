-- Section 3 (四): one row per building and run of days with several signals within the window. A signal belongs to the building
-- where its person lives: a repeat purchase, a fever, a positive result, or a positive tube, which is one signal however many
-- of its members live there.
with allowed as (
    select
        {{ parameter('signal_window_days', as_of_date()) }} as window_days,
        {{ parameter('building_signals', as_of_date()) }} as least
),

of_persons as (
    select
        person_key,
        'repeat_purchase:' || person_key as subject,
        first_on as told_on
    from {{ ref('int_signal__repeats') }}
    union all
    select
        person_key,
        'fever:' || person_key as subject,
        first_on as told_on
    from {{ ref('int_signal__fevers') }}
    union all
    select
        person_key,
        'positive:' || person_key as subject,
        clock_from::date as told_on
    from {{ ref('int_positive__episodes') }}
    union all
    select
        person_key,
        'positive_tube:' || tube_no as subject,
        result_at::date as told_on
    from {{ ref('int_pool__members') }}
),

residents as (
    select * from {{ ref('int_population__registered') }}
    where building <> ''
),

signals as (
    select
        coalesce(residents.community, '') as community,
        coalesce(residents.grid, '') as grid,
        residents.building,
        of_persons.subject,
        of_persons.told_on,
        of_persons.person_key
    from of_persons
    inner join residents on of_persons.person_key = residents.person_key
),

days as (
    select distinct
        community,
        grid,
        building,
        told_on
    from signals
),

windows as (
    select
        days.community,
        days.grid,
        days.building,
        days.told_on,
        min(signals.told_on) as first_on
    from days
    cross join allowed
    inner join signals
        on
            days.community = signals.community
            and days.grid = signals.grid
            and days.building = signals.building
            and signals.told_on between days.told_on - allowed.window_days + 1 and days.told_on
    group by days.community, days.grid, days.building, days.told_on, allowed.least
    having count(distinct signals.subject) >= allowed.least
),

runs as (
    select
        windows.*,
        windows.told_on - lag(windows.told_on) over (
            partition by windows.community, windows.grid, windows.building order by windows.told_on
        ) < allowed.window_days as goes_on
    from windows
    cross join allowed
),

numbered as (
    select
        *,
        count(*) filter (where goes_on is not true) over (partition by community, grid, building order by told_on) as run_number
    from runs
),

spans as (
    select
        community,
        grid,
        building,
        run_number,
        min(first_on) as first_on,
        max(told_on) as last_on
    from numbered
    group by community, grid, building, run_number
),

final as (
    select
        spans.community,
        spans.grid,
        spans.building,
        spans.first_on,
        spans.last_on,
        count(distinct signals.person_key)::int as persons,
        count(distinct signals.subject)::int as signals
    from spans
    inner join signals
        on
            spans.community = signals.community
            and spans.grid = signals.grid
            and spans.building = signals.building
            and signals.told_on between spans.first_on and spans.last_on
    group by spans.community, spans.grid, spans.building, spans.first_on, spans.last_on
)

select * from final
