-- Articles 10 and 11: who was on a unit's roster on each day of an outbreak, up to D, and when sampled.
-- One row per unit, group, outbreak, day and person; who was exempt or infected on the day is marked.
{{ config(materialized='table') }}

with rounds as (select * from {{ ref('int_outbreak__rounds') }}),

person_days as (select * from {{ ref('int_sample__person_days') }}),

lifts as (select * from {{ ref('int_lift__intervals') }}),

-- A person with two records in one unit and group is one person.
days as (
    select
        rounds.start_date,
        rounds.unit,
        rounds.group_code,
        rounds.person_key,
        sampling_day::date as sampling_day,
        min(rounds.outbreak_id) as outbreak_id,
        min(rounds.due_date) as round_due_date,
        min(rounds.group_name) as group_name,
        min(rounds.department) as department,
        min(rounds.community) as community
    from rounds
    cross join lateral {{ days(
        'greatest(rounds.start_date, rounds.member_from)',
        'least(rounds.end_date, rounds.member_to, ' ~ as_of_date() ~ ')'
    ) }} as counted (sampling_day)
    group by rounds.start_date, rounds.unit, rounds.group_code, rounds.person_key, sampling_day
),

roster as (
    select
        days.*,
        exists(
            select 1 from lifts
            where
                days.person_key = lifts.person_key
                and (lifts.group_code is null or days.group_code = lifts.group_code)
                and days.sampling_day between lifts.from_date and lifts.to_date
        ) as is_lifted
    from days
),

-- The last sample of the outbreak up to the day.
final as (
    select
        roster.start_date,
        roster.outbreak_id,
        roster.unit,
        roster.group_code,
        roster.group_name,
        roster.department,
        roster.community,
        roster.sampling_day,
        roster.round_due_date,
        roster.person_key,
        roster.is_lifted,
        max(person_days.sample_date) as last_sample_date
    from roster
    left join person_days
        on
            roster.person_key = person_days.person_key
            and person_days.sample_date between roster.start_date and roster.sampling_day
    group by
        roster.start_date, roster.outbreak_id, roster.unit, roster.group_code, roster.group_name, roster.department,
        roster.community, roster.sampling_day, roster.round_due_date, roster.person_key, roster.is_lifted
)

select * from final
