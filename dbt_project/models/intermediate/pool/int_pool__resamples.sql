-- Article 24: one row per member of a positive tube has the first single sample after the tube's result.
{{ config(indexes=[{'columns': ['membership_id'], 'unique': true}]) }}

with members as (select * from {{ ref('int_pool__members') }}),

singles as (select * from {{ ref('int_sample__counting') }} where is_single),

later_singles as (
    select
        members.membership_id,
        singles.sampled_at,
        singles.result,
        singles.sample_key
    from members
    inner join singles
        on
            members.person_key = singles.person_key
            and members.result_at < singles.sampled_at
            and singles.sample_date >= (select min(earliest.result_at)::date from members as earliest)
),

-- The positive one of two single samples in the same second counts as the first.
resamples as (
    select
        membership_id,
        sampled_at,
        result
    from (
        select distinct on (membership_id) * from later_singles
        order by membership_id, sampled_at, result = '阳性' desc, sample_key collate "C"
    ) as earliest
),

evidence as (
    select
        members.*,
        'P24' as group_code,
        resamples.sampled_at as resampled_at,
        resamples.result
    from members
    left join resamples on members.membership_id = resamples.membership_id
),

final as (
    select
        *,
        {{ lifted_state('evidence.person_key', 'evidence.group_code', 'evidence.due_at::date') }} as lifted_state
    from evidence
)

select * from final
