-- Articles 21 and 24: one row per screening round and person in its scope has the first sample as known on D. The rows come
-- from the register of residents, so that people without a sample are included.
{{ config(indexes=[{'columns': ['round_id', 'person_key'], 'unique': true}]) }}

with scope as (select * from {{ ref('int_screening__scope') }}),

first_samples as (
    select * from {{ ref('int_screening__first_samples') }}
    where sampled_at < {{ as_of_date() }} + 1
),

cases as (
    select * from {{ ref('stg_platform__cases') }}
    where sample_date <= {{ as_of_date() }}
),

evidence as (
    select
        scope.*,
        first_samples.sampled_at,
        exists(
            select 1 from cases
            where
                cases.person_key = scope.person_key
                and coalesce(cases.discharge_date, 'infinity'::date) >= scope.started_at::date
        ) as is_infected
    from scope
    left join first_samples
        on scope.round_id = first_samples.round_id and scope.person_key = first_samples.person_key
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
