-- Article 24: one row per person and positive mixed tube has the time of the tube's result and the deadline of the single
-- sample. All mixed samples under the tube's number are members, whatever their own result says.
{{ config(indexes=[{'columns': ['membership_id'], 'unique': true}]) }}

with residents as (select * from {{ ref('stg_platform__residents') }}),

positives as (
    select
        counting.tube_no,
        counting.sampled_at,
        counting.sample_date,
        case when counting.tested_at >= counting.sampled_at then counting.tested_at end as tested_at,
        case when records.updated_at >= counting.sampled_at then records.updated_at end as updated_at
    from {{ ref('int_sample__counting') }} as counting
    inner join {{ ref('int_sample__records') }} as records
        on counting.sample_key = records.sample_key and counting.person_key = records.person_key
    where counting.result = '阳性' and not counting.is_single and counting.tube_no is not null
),

-- A tube's result dates from its first positive test. If no positive row has a test time, the update time stands in; if that is
-- before the sample too, the sampling time does, so that nobody is lost.
tubes as (
    select
        tube_no,
        coalesce(min(tested_at), min(updated_at), min(sampled_at)) as result_at,
        min(tested_at) is null as is_result_time_unknown,
        min(sample_date) as first_sample_date,
        max(sample_date) as last_sample_date
    from positives
    group by tube_no
),

positive_tubes as (select * from tubes where result_at < {{ as_of_date() }} + 1),

-- Each half is joined with the tubes by itself, so that the index by tube is used.
samples as (
    select
        counting.person_key,
        counting.sample_key,
        counting.tube_no,
        counting.sampled_at,
        counting.sample_date
    from {{ ref('int_sample__counting') }} as counting
    inner join positive_tubes on counting.tube_no = positive_tubes.tube_no
    where not counting.is_single
    union all
    -- An invalid sample does not count elsewhere, but its person was in the tube.
    select
        records.person_key,
        records.sample_key,
        records.tube_no,
        records.sampled_at,
        records.sample_date
    from {{ ref('int_sample__records') }} as records
    inner join positive_tubes on records.tube_no = positive_tubes.tube_no
    where records.result = '无效' and not records.is_single and records.sample_date <= {{ as_of_date() }}
),

members as (
    select
        samples.person_key,
        samples.tube_no,
        (array_agg(samples.sample_key order by samples.sample_key collate "C"))[1] as sample_key,
        min(samples.sampled_at) as pooled_at,
        bool_or(samples.sample_date between positive_tubes.first_sample_date and positive_tubes.last_sample_date)
            as is_of_its_day
    from samples
    inner join positive_tubes on samples.tube_no = positive_tubes.tube_no
    group by samples.person_key, samples.tube_no
),

final as (
    select
        -- The record key of a test result is the sample and the person; the person is written as the person key.
        'test_results:' || members.sample_key || ':' || members.person_key as membership_id,
        members.person_key,
        coalesce(residents.community, '') as community,
        coalesce(residents.grid, '') as grid,
        members.sample_key,
        members.tube_no,
        members.pooled_at,
        positive_tubes.result_at,
        positive_tubes.result_at
        + interval '1 hour' * {{ parameter('resample_hours', 'positive_tubes.result_at::date') }} as due_at,
        positive_tubes.is_result_time_unknown,
        not members.is_of_its_day as is_of_another_day
    from members
    inner join positive_tubes on members.tube_no = positive_tubes.tube_no
    left join residents on members.person_key = residents.person_key
)

select * from final
