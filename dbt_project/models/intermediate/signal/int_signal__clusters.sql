-- Section 3 (四), article 19: one row per grid and run of days on which several persons bought monitored drugs within the
-- window. Windows of one grid that share a day with purchases are one signal.
with allowed as (
    select
        {{ parameter('signal_window_days', as_of_date()) }} as window_days,
        {{ parameter('cluster_persons', as_of_date()) }} as least
),

-- Several drugs bought at one moment are one purchase. A purchase without a known place belongs to no cluster.
purchases as (
    select distinct
        community,
        grid,
        person_key,
        purchased_at,
        purchased_at::date as bought_on
    from {{ ref('int_purchase__monitored') }}
    where is_monitored and community <> ''
),

person_days as (
    select distinct
        community,
        grid,
        person_key,
        bought_on
    from purchases
),

days as (
    select distinct
        community,
        grid,
        bought_on
    from person_days
),

-- Each purchase is expanded to all days whose window includes it. Joining by day avoids comparing every pair of a grid's days.
counted as materialized (
    select
        person_days.community,
        person_days.grid,
        person_days.person_key,
        person_days.bought_on,
        numbered.day_at::date as window_ends_on
    from person_days
    cross join allowed
    cross join lateral generate_series(
        person_days.bought_on::timestamp,
        (person_days.bought_on + allowed.window_days - 1)::timestamp,
        interval '1 day'
    ) as numbered (day_at)
),

windows as (
    select
        days.community,
        days.grid,
        days.bought_on,
        allowed.window_days,
        min(counted.bought_on) as first_on
    from days
    cross join allowed
    inner join counted
        on
            days.community = counted.community
            and days.grid = counted.grid
            and days.bought_on = counted.window_ends_on
    group by days.community, days.grid, days.bought_on, allowed.window_days, allowed.least
    having count(distinct counted.person_key) >= allowed.least
),

runs as (
    select
        *,
        (bought_on - lag(bought_on) over (partition by community, grid order by bought_on)) < window_days
            as goes_on
    from windows
),

numbered as (
    select
        *,
        count(*) filter (where goes_on is not true) over (partition by community, grid order by bought_on) as run_number
    from runs
),

spans as (
    select
        community,
        grid,
        run_number,
        min(first_on) as first_on,
        max(bought_on) as last_on
    from numbered
    group by community, grid, run_number
),

span_days as materialized (
    select
        spans.community,
        spans.grid,
        spans.first_on,
        spans.last_on,
        numbered.day_at::date as bought_on
    from spans
    cross join lateral generate_series(spans.first_on::timestamp, spans.last_on::timestamp, interval '1 day') as numbered (day_at)
),

final as (
    select
        span_days.community,
        span_days.grid,
        span_days.first_on,
        span_days.last_on,
        count(distinct purchases.person_key)::int as persons,
        count(*)::int as purchases
    from span_days
    inner join purchases
        on
            span_days.community = purchases.community
            and span_days.grid = purchases.grid
            and span_days.bought_on = purchases.bought_on
    group by span_days.community, span_days.grid, span_days.first_on, span_days.last_on
)

select * from final
