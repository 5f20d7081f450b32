-- Rule family 7, P24: one row per member of a positive mixed tube, who must give a single sample (article 24). A single sample
-- taken after the tube's result discharges it.
with evidence as (select * from {{ ref('int_pool__resamples') }}),

final as (
    select
        membership_id,
        person_key,
        group_code,
        '' as unit,
        community,
        grid,
        result_at::date as anchor_date,
        due_at::date as due_date,
        resampled_at::date as sampled_on,
        resampled_at <= due_at as is_in_time,
        lifted_state,
        {{ chinese_time('result_at') }} || '混管结果阳性' as evidence
    from evidence
)

select * from final
