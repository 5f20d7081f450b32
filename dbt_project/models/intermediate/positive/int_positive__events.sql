-- Articles 24 and 26: one row per positive single sample or case that is known by the end of D. `discharges` counts the
-- person's earlier discharges, because a positive after a discharge is another episode.

with singles as (
    select * from {{ ref('int_sample__counting') }}
    where is_single and result = '阳性'
),

reports as (select * from {{ ref('int_sample__records') }}),

samples as (
    select
        singles.person_key,
        'sample' as kind,
        singles.sample_key as event_key,
        singles.sampled_at,
        singles.sample_date,
        coalesce(singles.tested_at, reports.updated_at) as known_at,
        null::date as discharge_date
    from singles
    inner join reports on singles.sample_key = reports.sample_key and singles.person_key = reports.person_key
),

cases as (
    select
        person_key,
        'case' as kind,
        case_key as event_key,
        sample_date::timestamp as sampled_at,
        sample_date,
        coalesce(reported_at, sample_date::timestamp) as known_at,
        discharge_date
    from {{ ref('stg_platform__cases') }}
    where sample_date <= {{ as_of_date() }}
),

events as (
    select * from samples
    union all
    select * from cases
),

discharges as (
    select distinct
        person_key,
        discharge_date
    from {{ ref('stg_platform__cases') }}
    where discharge_date <= {{ as_of_date() }}
),

-- Results and reports from after the end of D are not known yet.
final as (
    select
        events.person_key,
        events.kind,
        events.event_key,
        events.sampled_at,
        events.sample_date,
        events.known_at,
        events.discharge_date,
        count(discharges.discharge_date)::int as discharges
    from events
    left join discharges
        on events.person_key = discharges.person_key and events.sample_date > discharges.discharge_date
    where events.known_at < {{ as_of_date() }} + 1
    group by
        events.person_key, events.kind, events.event_key, events.sampled_at, events.sample_date, events.known_at,
        events.discharge_date
)

select * from final
