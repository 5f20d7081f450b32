-- Articles 10 and 11: one row per unit, group, community and day of an outbreak up to D has the size of the roster and how many
-- were sampled. A member who is exempt or infected on the day stays on the roster, but the full round does not require a
-- sample.
-- Numbers stand for a unit's place (unit, group and community) and for an outbreak's start in a community, because grouping by
-- numbers takes less time than grouping by texts. What does not depend on the day is found once per member.
with listed as materialized {{ first_listed_day() }},

rounds as materialized (
    select
        rounds.*,
        greatest(rounds.start_date, rounds.member_from, listed.first_day) as from_day,
        least(rounds.end_date, rounds.member_to, {{ as_of_date() }}) as to_day,
        dense_rank() over (
            order by rounds.unit, rounds.group_code, rounds.community
        ) as place_number,
        dense_rank() over (
            order by rounds.community, rounds.started_at
        ) as start_number,
        count(*) over (
            partition by rounds.unit, rounds.group_code, rounds.community, rounds.person_key
        ) as records
    from {{ ref('int_outbreak__rounds') }} as rounds
    cross join listed
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

lifted as (select distinct person_key from {{ ref('int_lift__intervals') }}),

members as materialized (
    select
        rounds.place_number,
        rounds.person_key,
        rounds.department,
        rounds.from_day,
        rounds.to_day,
        rounds.records,
        samples.sample_dates,
        lifted.person_key as lifted_key
    from rounds
    left join samples on rounds.person_key = samples.person_key
    left join lifted on rounds.person_key = lifted.person_key
),

-- A person with two records in one unit, group and community counts once. last_sample_date is the last one up to the day, even
-- if it lies before the outbreak.
member_days as (
    select
        members.place_number,
        members.department,
        members.lifted_key,
        sampling_day::date as sampling_day,
        (members.sample_dates)[width_bucket(sampling_day::date, members.sample_dates)] as last_sample_date
    from members
    cross join lateral generate_series(
        members.from_day::timestamp, members.to_day::timestamp, interval '1 day'
    ) as counted (sampling_day)
    where members.records = 1
    union all
    select
        members.place_number,
        min(members.department) as department,
        members.lifted_key,
        sampling_day::date as sampling_day,
        (members.sample_dates)[width_bucket(sampling_day::date, members.sample_dates)] as last_sample_date
    from members
    cross join lateral generate_series(
        members.from_day::timestamp, members.to_day::timestamp, interval '1 day'
    ) as counted (sampling_day)
    where members.records > 1
    group by members.place_number, members.person_key, members.lifted_key, members.sample_dates, sampling_day
),

outbreaks as (
    select
        start_number,
        min(outbreak_id) as outbreak_id,
        min(start_date) as start_date,
        min(due_date) as round_due_date
    from rounds
    group by start_number
),

places as (
    select distinct
        place_number,
        start_number,
        unit,
        group_code,
        group_name,
        community,
        from_day,
        to_day
    from rounds
),

-- Overlapping outbreaks in grids of one community are counted as one, from the earlier start.
place_days as materialized (
    select
        places.place_number,
        places.unit,
        places.group_code,
        places.community,
        min(places.group_name) as group_name,
        min(places.start_number) as start_number,
        sampling_day::date as sampling_day
    from places
    cross join lateral generate_series(
        places.from_day::timestamp, places.to_day::timestamp, interval '1 day'
    ) as counted (sampling_day)
    group by places.place_number, places.unit, places.group_code, places.community, sampling_day
),

coverage as materialized (
    select
        sampling_day,
        {{ parameter('sample_coverage_days', 'sampling_day') }} as coverage_days
    from (select distinct sampling_day from place_days) as sampling_days
),

openings as materialized (
    select
        place_days.*,
        outbreaks.outbreak_id,
        outbreaks.start_date,
        outbreaks.round_due_date,
        greatest(outbreaks.start_date, place_days.sampling_day - coverage.coverage_days + 1) as covered_from
    from place_days
    inner join outbreaks on place_days.start_number = outbreaks.start_number
    inner join coverage on place_days.sampling_day = coverage.sampling_day
),

sampled as (
    select
        member_days.place_number,
        member_days.sampling_day,
        member_days.department,
        openings.start_date,
        openings.covered_from,
        member_days.last_sample_date,
        member_days.lifted_key is not null and exists (
            select 1 from lifts
            where
                member_days.lifted_key = lifts.person_key
                and (lifts.group_code is null or openings.group_code = lifts.group_code)
                and member_days.sampling_day between lifts.from_date and lifts.to_date
        ) as is_lifted
    from member_days
    inner join openings
        on member_days.place_number = openings.place_number and member_days.sampling_day = openings.sampling_day
),

-- Grouping by department first leaves few rows for the distinct aggregation of departments below.
counted as (
    select
        place_number,
        sampling_day,
        department,
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
        openings.group_name,
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
        openings.outbreak_id, openings.start_date, openings.unit, openings.group_code, openings.group_name,
        openings.community, openings.sampling_day, openings.round_due_date
)

select * from final
