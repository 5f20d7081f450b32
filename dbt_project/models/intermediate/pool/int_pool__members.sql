-- Article 24: who is in a positive mixed tube, from when the result is there, and by when the single sample is due.
-- All mixed samples under the tube's number are its members.
{{ config(indexes=[{'columns': ['membership_id'], 'unique': true}]) }}

with samples as (
    select * from {{ ref('int_sample__counting') }}
    where not is_single and tube_no is not null
),

positives as (
    select * from {{ ref('int_sample__counting') }}
    where not is_single and tube_no is not null and result = '阳性' and tested_at is not null
),

-- A tube's result is positive from the first positive result on any of its mixed samples.
positive_tubes as (
    select
        tube_no,
        min(tested_at) as result_at,
        min(sample_date) as first_sample_date,
        max(sample_date) as last_sample_date
    from positives
    group by tube_no
    having min(tested_at) < {{ as_of_date() }} + 1
),

members as (
    select
        samples.person_key,
        samples.tube_no,
        {{ at_first('samples.sample_key', [bytewise('samples.sample_key')]) }} as sample_key,
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
        members.sample_key,
        members.tube_no,
        members.pooled_at,
        positive_tubes.result_at,
        positive_tubes.result_at
        + interval '1 hour' * {{ parameter('resample_hours', 'positive_tubes.result_at::date') }} as due_at,
        not members.is_of_its_day as needs_review
    from members
    inner join positive_tubes on members.tube_no = positive_tubes.tube_no
)

select * from final
