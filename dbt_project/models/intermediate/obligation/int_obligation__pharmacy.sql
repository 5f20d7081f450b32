-- Rule family 7, P19: one row per purchase of a monitored drug on a day when the edition requires a test (article 19). A
-- counting sample from the moment of purchase on discharges it.
with purchases as (
    select purchases.* from {{ ref('int_purchase__monitored') }} as purchases
    inner join {{ ref('int_policy__rules') }} as rules
        on
            rules.group_code = 'P19'
            and rules.rule_family <> 'none'
            and purchases.purchased_at::date between rules.effective_from and rules.effective_to
),

samples as (select * from {{ ref('int_sample__counting') }}),

persons as (select * from {{ ref('int_sample__person_dates') }}),

slots as (
    select
        purchases.*,
        'P19' as group_code,
        purchases.purchased_at::date
        + {{ parameter('purchase_test_days', 'purchases.purchased_at::date') }} - 1 as due_date
    from purchases
),

evidence as materialized (
    select
        slots.*,
        case
            when exists (
                select 1 from samples
                where
                    samples.person_key = slots.person_key
                    and samples.sample_date = slots.purchased_at::date
                    and samples.sampled_at >= slots.purchased_at
            ) then slots.purchased_at::date
            else {{ first_date('persons.sample_dates', 'slots.purchased_at::date + 1') }}
        end as satisfied_on,
        {{ lifted_state('slots.person_key', 'slots.group_code', 'slots.due_date') }} as lifted_state
    from slots
    left join persons on slots.person_key = persons.person_key
),

final as (
    select
        'pharmacy_purchases:' || purchase_key as membership_id,
        person_key,
        group_code,
        pharmacy as unit,
        community,
        grid,
        purchased_at::date as anchor_date,
        due_date,
        satisfied_on as sampled_on,
        satisfied_on <= due_date as is_in_time,
        lifted_state,
        {{ chinese_date('purchased_at') }} || '购买' || category || '类药品' as evidence
    from evidence
)

select * from final
