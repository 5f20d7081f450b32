-- Rule family 5, the full round (annex rows 23–28; articles 10, 11): one row per membership and outbreak of its place requires
-- one sample from the opening day on. A member who joins after the round or leaves before its end has no slot.
with slots as (
    select
        *,
        least(member_to, coalesce(end_date, 'infinity'::date)) as until_date
    from {{ ref('int_outbreak__rounds') }}
    where due_date between member_from and least(member_to, coalesce(end_date, 'infinity'::date))
),

first_samples as materialized (
    select
        slots.*,
        {{ first_date('persons.sample_dates', 'slots.start_date') }} as first_sampled_on
    from slots
    left join {{ ref('int_sample__person_dates') }} as persons on slots.person_key = persons.person_key
),

evidence as materialized (
    select
        *,
        case when first_sampled_on <= until_date then first_sampled_on end as satisfied_on,
        {{ lifted_state('first_samples.person_key', 'first_samples.group_code', 'first_samples.due_date') }} as lifted_state
    from first_samples
),

final as (
    select
        membership_id,
        outbreak_number as slot,
        due_date,
        satisfied_on as sampled_on,
        lifted_state,
        until_date as last_day,
        rule_text,
        {{ chinese_date('start_date') }} || '起本土疫情，全员检测一次' as evidence
    from evidence
)

select * from final
