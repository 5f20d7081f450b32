-- Section 3 (四), article 19: one row per person and run of repeated purchases of monitored drugs within the window. Windows of
-- one person that share a purchase are one signal.
with allowed as (
    select
        {{ parameter('signal_window_days', as_of_date()) }} as window_days,
        {{ parameter('repeat_purchases', as_of_date()) }} as least
),

-- Several drugs bought at one moment are one purchase.
purchases as (
    select distinct
        person_key,
        purchased_at,
        purchased_at::date as bought_on
    from {{ ref('int_purchase__monitored') }}
    where is_monitored
),

days as (
    select
        person_key,
        bought_on,
        count(*) as purchases
    from purchases
    group by person_key, bought_on
),

windows as (
    select
        days.person_key,
        days.bought_on,
        allowed.window_days,
        min(earlier.bought_on) as first_on
    from days
    cross join allowed
    inner join days as earlier
        on
            days.person_key = earlier.person_key
            and earlier.bought_on between days.bought_on - allowed.window_days + 1 and days.bought_on
    group by days.person_key, days.bought_on, allowed.window_days, allowed.least
    having sum(earlier.purchases) >= allowed.least
),

runs as (
    select
        *,
        (bought_on - lag(bought_on) over (partition by person_key order by bought_on)) < window_days
            as goes_on
    from windows
),

numbered as (
    select
        *,
        count(*) filter (where goes_on is not true) over (partition by person_key order by bought_on) as run_number
    from runs
),

spans as (
    select
        person_key,
        run_number,
        min(first_on) as first_on,
        max(bought_on) as last_on
    from numbered
    group by person_key, run_number
),

final as (
    select
        spans.person_key,
        spans.first_on,
        spans.last_on,
        sum(days.purchases)::int as purchases
    from spans
    inner join days
        on
            spans.person_key = days.person_key
            and days.bought_on between spans.first_on and spans.last_on
    group by spans.person_key, spans.first_on, spans.last_on
)

select * from final
