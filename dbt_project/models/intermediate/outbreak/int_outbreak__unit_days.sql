-- Articles 10 and 11: each unit's roster on each day of an outbreak up to D, and how many of it were sampled.
-- Who was exempt or infected on the day is on the roster, and is not asked for in the full round.
with rounds as (select * from {{ ref('int_outbreak__rounds') }}),

samples as {{ once() }} (
    select
        person_key,
        {{ oldest_first('sample_dates') }} as sample_dates
    from {{ ref('int_sample__dates') }}
    where {{ is_among('person_key', 'select rounds.person_key from rounds') }}
),

lifts as (select * from {{ ref('int_lift__intervals') }}),

-- A person with two records in one unit and group is one person.
members as (
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

-- The last sample up to the day, whether or not it is one of the outbreak.
sampled as {{ once() }} (
    select
        members.*,
        {{ last_in('samples.sample_dates', 'members.sampling_day') }} as last_sample_date,
        exists(
            select 1 from lifts
            where
                members.person_key = lifts.person_key
                and (lifts.group_code is null or members.group_code = lifts.group_code)
                and members.sampling_day between lifts.from_date and lifts.to_date
        ) as is_lifted
    from members
    left join samples on members.person_key = samples.person_key
),

coverage as {{ once() }} (
    select
        sampling_day,
        {{ parameter('sample_coverage_days', 'sampling_day') }} as coverage_days
    from (select distinct sampling_day from members) as sampling_days
),

-- Counted by department and community first: few rows are left in which those that differ are looked for.
counted as (
    select
        sampled.start_date,
        sampled.unit,
        sampled.group_code,
        sampled.sampling_day,
        sampled.department,
        sampled.community,
        min(sampled.outbreak_id) as outbreak_id,
        min(sampled.group_name) as group_name,
        max(sampled.round_due_date) as round_due_date,
        count(*) as roster,
        count(*) filter (where not sampled.is_lifted) as unlifted,
        count(*) filter (where not sampled.is_lifted and sampled.last_sample_date >= sampled.start_date)
            as sampled_in_outbreak,
        count(*) filter (where sampled.last_sample_date = sampled.sampling_day) as sampled_on_day,
        count(*) filter (
            where
                sampled.last_sample_date >= sampled.start_date
                and sampled.last_sample_date > sampled.sampling_day - coverage.coverage_days
        ) as sampled_lately
    from sampled
    inner join coverage on sampled.sampling_day = coverage.sampling_day
    group by
        sampled.start_date, sampled.unit, sampled.group_code, sampled.sampling_day, sampled.department, sampled.community
),

final as (
    select
        start_date,
        min(outbreak_id) as outbreak_id,
        unit,
        group_code,
        min(group_name) as group_name,
        {{ joined_distinct('department', '、') }} as department,
        case when count(distinct community) = 1 then min(community) else '' end as community,
        sampling_day,
        max(round_due_date) as round_due_date,
        sum(roster)::bigint as roster,
        sum(unlifted)::bigint as unlifted,
        sum(sampled_in_outbreak)::bigint as sampled_in_outbreak,
        sum(sampled_on_day)::bigint as sampled_on_day,
        sum(sampled_lately)::bigint as sampled_lately
    from counted
    group by start_date, unit, group_code, sampling_day
)

select * from final
