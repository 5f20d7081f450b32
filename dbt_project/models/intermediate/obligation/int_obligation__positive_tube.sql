-- Rule family 7, P24: every member of a positive mixed tube gives a single sample (article 24).
-- One row per member of a tube; a single sample taken after the tube's result discharges it.
with evidence as (select * from {{ ref('int_pool__resamples') }}),

final as (
    select
        membership_id,
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
        {{ chinese_time('result_at') }} || '混管结果阳性' as evidence
    from evidence
)

select * from final
