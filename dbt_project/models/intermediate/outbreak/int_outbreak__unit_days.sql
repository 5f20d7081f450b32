-- Articles 10 and 11: one row per unit, group, community and day of an outbreak up to D has the size of the roster and how many
-- were sampled. A member who is exempt or infected on the day stays on the roster, but the full round does not require a
-- sample.
-- Numbers stand for a unit's place (unit, group and community) and for an outbreak's start in a community, because grouping by
-- numbers takes less time than grouping by texts.
with rounds as (
    select
        *,
        dense_rank() over (
            order by unit, group_code, community
        ) as place_number,
        dense_rank() over (
            order by community, started_at
        ) as start_number
    from {{ ref('int_outbreak__rounds') }}
),

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
        rounds.place_number,
        rounds.person_key,
        sampling_day::date as sampling_day,
        min(rounds.start_number) as start_number,
        min(rounds.group_name) as group_name,
        min(rounds.department) as department
    from rounds
    cross join listed
    cross join lateral generate_series(
        greatest(rounds.start_date, rounds.member_from, listed.first_day)::timestamp,
        least(rounds.end_date, rounds.member_to, {{ as_of_date() }})::timestamp,
        interval '1 day'
    ) as counted (sampling_day)
    group by rounds.place_number, rounds.person_key, sampling_day
),

places as (select distinct place_number, unit, group_code, community from rounds),

outbreaks as (
    select
        start_number,
        min(outbreak_id) as outbreak_id,
        min(start_date) as start_date,
        min(due_date) as round_due_date
    from rounds
    group by start_number
),

-- Overlapping outbreaks in grids of one community are counted as one, from the earlier start.
place_days as materialized (
    select
        place_number,
        sampling_day,
        min(start_number) as start_number
    from members
    group by place_number, sampling_day
),

coverage as materialized (
    select
        sampling_day,
        {{ parameter('sample_coverage_days', 'sampling_day') }} as coverage_days
    from (select distinct sampling_day from place_days) as sampling_days
),

openings as materialized (
    select
        place_days.place_number,
        place_days.sampling_day,
        places.unit,
        places.group_code,
        places.community,
        outbreaks.outbreak_id,
        outbreaks.start_date,
        outbreaks.round_due_date,
        greatest(outbreaks.start_date, place_days.sampling_day - coverage.coverage_days + 1) as covered_from
    from place_days
    inner join places on place_days.place_number = places.place_number
    inner join outbreaks on place_days.start_number = outbreaks.start_number
    inner join coverage on place_days.sampling_day = coverage.sampling_day
),

-- last_sample_date is the last one up to the day, even if it lies before the outbreak.
sampled as materialized (
    select
        members.place_number,
        members.sampling_day,
        members.group_name,
        members.department,
        openings.start_date,
        openings.covered_from,
        (samples.sample_dates)[width_bucket(members.sampling_day, samples.sample_dates)] as last_sample_date,
        exists(
            select 1 from lifts
            where
                members.person_key = lifts.person_key
                and (lifts.group_code is null or openings.group_code = lifts.group_code)
                and members.sampling_day between lifts.from_date and lifts.to_date
        ) as is_lifted
    from members
    inner join openings
        on members.place_number = openings.place_number and members.sampling_day = openings.sampling_day
    left join samples on members.person_key = samples.person_key
),

-- Grouping by department first leaves few rows for the distinct aggregation of departments below.
counted as (
    select
        place_number,
        sampling_day,
        department,
        min(group_name) as group_name,
        count(*) as roster,
        count(*) filter (where not is_lifted) as unlifted,
        count(*) filter (where not is_lifted and last_sample_date >= start_date) as sampled_in_outbreak,
        count(*) filter (where last_sample_date = sampling_day) as sampled_on_day,
        count(*) filter (where last_sample_date >= covered_from) as sampled_lately
    from sampled
    group by place_number, sampling_day, department
),

final as (
    select
        openings.outbreak_id,
        openings.start_date,
        openings.unit,
        openings.group_code,
        min(counted.group_name) as group_name,
        string_agg(distinct counted.department, '、' order by counted.department) as department,
        openings.community,
        openings.sampling_day,
        openings.round_due_date,
        sum(counted.roster)::bigint as roster,
        sum(counted.unlifted)::bigint as unlifted,
        sum(counted.sampled_in_outbreak)::bigint as sampled_in_outbreak,
        sum(counted.sampled_on_day)::bigint as sampled_on_day,
        sum(counted.sampled_lately)::bigint as sampled_lately
    from counted
    inner join openings
        on counted.place_number = openings.place_number and counted.sampling_day = openings.sampling_day
    group by
        openings.outbreak_id, openings.start_date, openings.unit, openings.group_code, openings.community,
        openings.sampling_day, openings.round_due_date
)

select * from final
