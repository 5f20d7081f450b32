-- Section 3 (四), article 18: one row per person and run of days with a fever, reported by a health check or a pharmacy.
-- Feverish days within one window of each other are one signal.
with allowed as (
    select
        {{ parameter('fever_temperature', as_of_date(), 'numeric') }} as fever_temperature,
        {{ parameter('signal_window_days', as_of_date()) }} as window_days,
        {{ parameter('fever_reports', as_of_date()) }} as least
),

reports as (
    select
        person_key,
        measured_at as told_at,
        temperature
    from {{ ref('stg_platform__health_checks') }}
    union all
    select
        person_key,
        purchased_at as told_at,
        temperature
    from {{ ref('stg_platform__pharmacy_purchases') }}
),

feverish as (
    select distinct
        reports.person_key,
        reports.told_at,
        reports.told_at::date as told_on
    from reports
    cross join allowed
    where reports.temperature >= allowed.fever_temperature and reports.told_at < {{ as_of_date() }} + 1
),

days as (
    select
        person_key,
        told_on,
        count(*) as reports
    from feverish
    group by person_key, told_on
),

runs as (
    select
        days.*,
        (days.told_on - lag(days.told_on) over (partition by days.person_key order by days.told_on))
        < allowed.window_days as goes_on
    from days
    cross join allowed
),

numbered as (
    select
        *,
        count(*) filter (where goes_on is not true) over (partition by person_key order by told_on) as run_number
    from runs
),

spans as (
    select
        person_key,
        run_number,
        min(told_on) as first_on,
        max(told_on) as last_on,
        sum(reports)::int as reports
    from numbered
    group by person_key, run_number
),

final as (
    select
        spans.person_key,
        spans.first_on,
        spans.last_on,
        spans.reports
    from spans
    cross join allowed
    where spans.reports >= allowed.least
)

select * from final
