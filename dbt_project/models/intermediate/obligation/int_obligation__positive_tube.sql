-- Rule family 7, P24: every member of a positive mixed tube gives a single sample (article 24).
-- One row per member of a tube; a single sample taken after the tube's result discharges it.
with samples as (select * from {{ ref('int_sample__counting') }}),

-- A tube's result is positive from the first positive result on any of its mixed samples.
positive_tubes as (
    select
        tube_no,
        min(tested_at) as result_at
    from samples
    where not is_single and tube_no is not null and result = '阳性' and tested_at is not null
    group by tube_no
    having min(tested_at) < {{ as_of_date() }} + 1
),

members as (
    select
        samples.person_key,
        samples.tube_no,
        min(samples.sample_key collate "C") as sample_key
    from samples
    where not samples.is_single and samples.tube_no is not null
    group by samples.person_key, samples.tube_no
),

slots as (
    select
        members.person_key,
        members.sample_key,
        members.tube_no,
        'P24' as group_code,
        positive_tubes.result_at,
        positive_tubes.result_at + make_interval(
            hours => {{ parameter('resample_hours', 'positive_tubes.result_at::date') }}
        ) as due_at
    from members
    inner join positive_tubes on members.tube_no = positive_tubes.tube_no
),

evidence as (
    select
        slots.*,
        (
            select min(samples.sampled_at) from samples
            where
                samples.person_key = slots.person_key
                and samples.is_single
                and samples.sampled_at > slots.result_at
        ) as resampled_at,
        {{ lifted_state('slots.person_key', 'slots.group_code', 'slots.due_at::date') }} as lifted_state
    from slots
),

final as (
    select
        -- The record key of a test result is the sample and the person; the person is written as the person key.
        'test_results:' || sample_key || ':' || person_key as membership_id,
        person_key,
        group_code,
        '' as unit,
        '' as community,
        '' as grid,
        result_at::date as anchor_date,
        due_at::date as due_date,
        case
            when lifted_state is not null then lifted_state
            when resampled_at <= due_at then 'satisfied'
            when resampled_at is not null then 'satisfied_late'
            when due_at::date > {{ as_of_date() }} then 'upcoming'
            else 'overdue'
        end as status,
        case when lifted_state is null then resampled_at::date end as satisfied_on,
        {{ chinese_date('result_at') }} || to_char(result_at, 'HH24:MI') || '混管结果阳性' as evidence
    from evidence
)

select * from final
