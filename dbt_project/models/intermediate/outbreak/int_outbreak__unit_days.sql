-- Articles 10 and 11: one row per unit, group, community and day of an outbreak up to D has the size of the roster and how many
-- were sampled. A member who is exempt or infected on the day stays on the roster, but the full round does not require a
-- sample.
with rounds as (select * from {{ ref('int_outbreak__rounds') }}),

samples as materialized (
    select
        person_key,
        array(
            select known.sample_date from unnest(sample_dates) as known (sample_date)
            order by known.sample_date
        ) as sample_dates
    from {{ ref('int_sample__dates') }}
    where person_key = any(array(select rounds.person_key from rounds))
),

lifts as (select * from {{ ref('int_lift__intervals') }}),

listed as materialized {{ first_listed_day() }},

-- A person with two records in one unit, group and community counts once.
members as materialized (
    select
        rounds.unit,
        rounds.group_code,
        rounds.community,
        rounds.person_key,
        sampling_day::date as sampling_day,
        min(rounds.started_at) as started_at,
        min(rounds.group_name) as group_name,
        min(rounds.department) as department
    from rounds
    cross join listed
    cross join lateral generate_series(
        greatest(rounds.start_date, rounds.member_from, listed.first_day)::timestamp,
        least(rounds.end_date, rounds.member_to, {{ as_of_date() }})::timestamp,
        interval '1 day'
    ) as counted (sampling_day)
    group by rounds.unit, rounds.group_code, rounds.community, rounds.person_key, sampling_day
),

-- Overlapping outbreaks in grids of one community are counted as one, from the earlier start.
earliest as (
    select
        unit,
        group_code,
        community,
        sampling_day,
        min(started_at) as started_at
    from members
    group by unit, group_code, community, sampling_day
),

outbreaks as (
    select
        community,
        started_at,
        min(outbreak_id) as outbreak_id,
        min(start_date) as start_date,
        min(due_date) as round_due_date
    from rounds
    group by community, started_at
),

openings as materialized (
    select
        earliest.unit,
        earliest.group_code,
        earliest.community,
        earliest.sampling_day,
        outbreaks.outbreak_id,
        outbreaks.start_date,
        outbreaks.round_due_date
    from earliest
    inner join outbreaks
        on earliest.community = outbreaks.community and earliest.started_at = outbreaks.started_at
),

-- last_sample_date is the last one up to the day, even if it lies before the outbreak.
sampled as materialized (
    select
        members.*,
        (samples.sample_dates)[width_bucket(members.sampling_day, samples.sample_dates)] as last_sample_date,
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

coverage as materialized (
    select
        sampling_day,
        {{ parameter('sample_coverage_days', 'sampling_day') }} as coverage_days
    from (select distinct sampling_day from members) as sampling_days
),

-- Grouping by department first leaves few rows for the distinct aggregation of departments below.
counted as (
    select
        sampled.unit,
        sampled.group_code,
        sampled.community,
        sampled.sampling_day,
        sampled.department,
        openings.outbreak_id,
        openings.start_date,
        openings.round_due_date,
        min(sampled.group_name) as group_name,
        count(*) as roster,
        count(*) filter (where not sampled.is_lifted) as unlifted,
        count(*) filter (where not sampled.is_lifted and sampled.last_sample_date >= openings.start_date)
            as sampled_in_outbreak,
        count(*) filter (where sampled.last_sample_date = sampled.sampling_day) as sampled_on_day,
        count(*) filter (
            where
                sampled.last_sample_date >= openings.start_date
                and sampled.last_sample_date > sampled.sampling_day - coverage.coverage_days
        ) as sampled_lately
    from sampled
    inner join openings
        on
            sampled.unit = openings.unit
            and sampled.group_code = openings.group_code
            and sampled.community = openings.community
            and sampled.sampling_day = openings.sampling_day
    inner join coverage on sampled.sampling_day = coverage.sampling_day
    group by
        sampled.unit, sampled.group_code, sampled.community, sampled.sampling_day, sampled.department,
        openings.outbreak_id, openings.start_date, openings.round_due_date
),

final as (
    select
        outbreak_id,
        start_date,
        unit,
        group_code,
        min(group_name) as group_name,
        string_agg(distinct department, '、' order by department) as department,
        community,
        sampling_day,
        round_due_date,
        sum(roster)::bigint as roster,
        sum(unlifted)::bigint as unlifted,
        sum(sampled_in_outbreak)::bigint as sampled_in_outbreak,
        sum(sampled_on_day)::bigint as sampled_on_day,
        sum(sampled_lately)::bigint as sampled_lately
    from counted
    group by outbreak_id, start_date, unit, group_code, community, sampling_day, round_due_date
)

select * from final
