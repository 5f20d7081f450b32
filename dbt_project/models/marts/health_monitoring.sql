-- Articles 4, 18 and 30: one row per membership and day of monitoring at home compares the expected health reports with those
-- received.
{{ config(indexes=[{'columns': ['membership_id', 'monitored_on'], 'unique': true}, {'columns': ['person_key']}]) }}

with days as (
    select
        *,
        {{ parameter('health_checks_daily', 'days.monitored_on') }} as expected,
        {{ parameter('fever_temperature', 'days.monitored_on', 'numeric') }} as fever_temperature
    from {{ ref('int_monitoring__days') }} as days
),

checks as (select * from {{ ref('int_monitoring__checks') }}),

judged as (
    select
        days.*,
        coalesce(checks.done, 0) as done,
        checks.highest_temperature,
        coalesce(checks.has_symptom, false) as has_symptom,
        coalesce(checks.highest_temperature >= days.fever_temperature, false) as has_fever
    from days
    left join checks on days.person_key = checks.person_key and days.monitored_on = checks.monitored_on
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        membership_id,
        person_key,
        group_code,
        department,
        community,
        grid,
        monitored_on,
        expected,
        done,
        highest_temperature::double precision as highest_temperature,
        has_symptom,
        case
            when has_fever or has_symptom then 'signal'
            when done < expected then 'short'
            else 'complete'
        end as status
    from judged
)

select * from final
