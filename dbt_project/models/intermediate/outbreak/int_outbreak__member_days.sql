-- Articles 10 and 11: who was on a unit's roster on each day of an outbreak, up to D, and when sampled.
-- One row per unit, group, outbreak, day and person; who was exempt or infected on the day is marked.
-- What is closed is kept from build to build.
{{ config(
    materialized=kept(),
    indexes=[{'columns': ['start_date', 'unit', 'group_code']}],
    pre_hook="{{ forget_changed_units(this) }}",
) }}
-- depends_on: {{ ref('int_sample__bounds') }}, {{ ref('int_sample__changes') }}

with rounds as (
    select
        rounds.*,
        fingerprints.fingerprint
    from {{ ref('int_outbreak__rounds') }} as rounds
    inner join {{ ref('int_outbreak__fingerprints') }} as fingerprints
        on
            rounds.start_date = fingerprints.start_date
            and rounds.unit = fingerprints.unit
            and rounds.group_code = fingerprints.group_code
    where {{ unit_not_kept(this, 'rounds') }}
),

person_days as (
    select distinct
        person_key,
        sample_date
    from {{ ref('int_sample__counting') }}
    where sample_date >= (select min(rounds.start_date) from rounds)
),

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
        min(rounds.community) as community,
        min(rounds.fingerprint) as fingerprint
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

-- Who joined a roster after the outbreak began may have been sampled in it before.
joined_later as (
    select
        start_date,
        unit,
        group_code,
        person_key,
        min(member_from) as member_from
    from rounds
    group by start_date, unit, group_code, person_key
    having min(member_from) > start_date
),

sampled_before as (
    select
        joined_later.start_date,
        joined_later.unit,
        joined_later.group_code,
        joined_later.person_key,
        max(person_days.sample_date) as sample_date
    from joined_later
    inner join person_days
        on
            joined_later.person_key = person_days.person_key
            and joined_later.start_date <= person_days.sample_date
            and joined_later.member_from > person_days.sample_date
    group by joined_later.start_date, joined_later.unit, joined_later.group_code, joined_later.person_key
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
        roster.fingerprint,
        greatest(
            max(person_days.sample_date) over (
                partition by roster.start_date, roster.unit, roster.group_code, roster.person_key
                order by roster.sampling_day
            ),
            sampled_before.sample_date
        ) as last_sample_date
    from roster
    left join person_days
        on roster.person_key = person_days.person_key and roster.sampling_day = person_days.sample_date
    left join sampled_before
        on
            roster.start_date = sampled_before.start_date
            and roster.unit = sampled_before.unit
            and roster.group_code = sampled_before.group_code
            and roster.person_key = sampled_before.person_key
)

select * from final
