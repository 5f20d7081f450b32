-- Articles 24 and 26: one row per episode of a positive person. It begins with the first positive single sample, unless the
-- first case is more than positive_report_days older: then it begins with the case.

with events as (select * from {{ ref('int_positive__events') }}),

samples as (
    select *
    from (
        select distinct on (person_key, discharges) * from events
        order by person_key, discharges, kind = 'sample' desc, sampled_at, known_at, event_key collate "C"
    ) as earliest
    where kind = 'sample'
),

cases as (
    select *
    from (
        select distinct on (person_key, discharges) * from events
        order by person_key, discharges, kind = 'case' desc, sampled_at, known_at, event_key collate "C"
    ) as earliest
    where kind = 'case'
),

allowed as (
    select
        {{ parameter('positive_report_days', as_of_date()) }} as days_before
),

-- A case that was sampled before the last discharge, but not discharged then, may report the positive sample after it.
earlier_cases as (
    select distinct on (samples.person_key, samples.discharges)
        samples.person_key,
        samples.discharges,
        events.event_key
    from samples
    cross join allowed
    inner join events
        on
            samples.person_key = events.person_key
            and events.kind = 'case'
            and samples.discharges > events.discharges
            and samples.sample_date - allowed.days_before <= events.sample_date
            and samples.sample_date <= coalesce(events.discharge_date, 'infinity')
    order by samples.person_key, samples.discharges, events.sampled_at, events.known_at, events.event_key collate "C"
),

final as (
    select
        coalesce(samples.person_key, cases.person_key) as person_key,
        coalesce(samples.discharges, cases.discharges) as episode,
        coalesce(cases.event_key, earlier_cases.event_key) as case_key,
        case when begins_with_sample then samples.event_key end as sample_key,
        begins_with_sample,
        case when begins_with_sample then samples.sampled_at else cases.sampled_at end as sampled_at,
        case when begins_with_sample then samples.known_at end as result_at,
        case when begins_with_sample then samples.known_at else cases.known_at end as clock_from
    from samples
    full outer join cases on samples.person_key = cases.person_key and samples.discharges = cases.discharges
    left join earlier_cases
        on samples.person_key = earlier_cases.person_key and samples.discharges = earlier_cases.discharges
    cross join allowed
    cross join lateral (
        select
            samples.person_key is not null
            and coalesce(cases.sample_date >= samples.sample_date - allowed.days_before, true) as begins_with_sample
    ) as begun
)

select * from final
