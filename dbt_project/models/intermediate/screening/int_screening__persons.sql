-- Articles 21 and 24: everyone in the scope of a round, and when each was sampled. Starts from the register of
-- residents, so that whoever was not sampled is there.
{{ config(indexes=[{'columns': ['round_id', 'person_key'], 'unique': true}]) }}

with rounds as (select * from {{ ref('int_screening__rounds') }}),

residents as (select * from {{ ref('stg_platform__residents') }}),

samples as (select * from {{ ref('int_sample__counting') }}),

cases as (
    select * from {{ ref('stg_platform__cases') }}
    where sample_date <= {{ as_of_date() }}
),

-- Population: who lived there on the day on which the round began.
in_scope as (
    select
        rounds.round_id,
        rounds.started_at,
        rounds.deadline,
        residents.person_key,
        coalesce(residents.community, '') as community,
        coalesce(residents.grid, '') as grid,
        coalesce(residents.building, '') as building
    from rounds
    inner join residents
        on
            (cardinality(rounds.communities) = 0 or {{ is_in('residents.community', 'rounds.communities') }})
            and (cardinality(rounds.grids) = 0 or {{ is_in('residents.grid', 'rounds.grids') }})
            and rounds.started_at::date between coalesce(residents.moved_in_date, {{ no_start() }})
            and coalesce(residents.moved_out_date, {{ no_end() }})
),

-- Evidence: the first counting sample from the start on.
first_samples as (
    select
        in_scope.round_id,
        in_scope.person_key,
        min(samples.sampled_at) as sampled_at
    from in_scope
    inner join samples on in_scope.person_key = samples.person_key and in_scope.started_at <= samples.sampled_at
    where samples.sample_date >= (select min(rounds.started_at)::date from rounds)
    group by in_scope.round_id, in_scope.person_key
),

evidence as (
    select
        in_scope.*,
        first_samples.sampled_at,
        exists(
            select 1 from cases
            where
                cases.person_key = in_scope.person_key
                and coalesce(cases.discharge_date, {{ no_end() }}) >= in_scope.started_at::date
        ) as is_infected
    from in_scope
    left join first_samples
        on in_scope.round_id = first_samples.round_id and in_scope.person_key = first_samples.person_key
),

final as (
    select
        round_id,
        person_key,
        community,
        grid,
        building,
        started_at,
        sampled_at,
        coalesce(sampled_at <= deadline, false) as is_in_time,
        coalesce(sampled_at > deadline, false) as is_late,
        sampled_at is null as is_outstanding,
        is_infected
    from evidence
)

select * from final
