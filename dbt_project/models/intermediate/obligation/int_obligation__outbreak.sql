-- Rule family 5, the full round (annex rows 23–28; articles 10, 11). One slot per membership and declared outbreak:
-- sampled once from the day of the declaration on. Who joins after the round or left before its end has no slot.
with slots as (
    select
        *,
        least(member_to, coalesce(end_date, {{ no_end() }})) as until_date
    from {{ ref('int_outbreak__rounds') }}
    where due_date between member_from and least(member_to, coalesce(end_date, {{ no_end() }}))
),

samples as (
    select * from {{ ref('int_sample__counting') }}
    where sample_date >= (select min(slots.start_date) from slots)
),

first_samples as (
    select
        slots.membership_id,
        slots.outbreak_number,
        min(samples.sample_date) as satisfied_on
    from slots
    inner join samples
        on
            slots.person_key = samples.person_key
            and samples.sample_date between slots.start_date and slots.until_date
    group by slots.membership_id, slots.outbreak_number
),

evidence as (
    select
        slots.*,
        first_samples.satisfied_on,
        {{ lifted_state('slots.person_key', 'slots.group_code', 'slots.due_date') }} as lifted_state
    from slots
    left join first_samples
        on
            slots.membership_id = first_samples.membership_id
            and slots.outbreak_number = first_samples.outbreak_number
),

final as (
    select
        membership_id,
        outbreak_number as slot,
        due_date,
        case
            when lifted_state is not null then lifted_state
            when satisfied_on <= due_date then 'satisfied'
            when satisfied_on is not null then 'satisfied_late'
            when due_date > {{ as_of_date() }} then 'upcoming'
            when until_date >= {{ as_of_date() }} then 'overdue'
            else 'missed'
        end as status,
        case when lifted_state is null then satisfied_on end as satisfied_on,
        rule_text,
        {{ chinese_date('start_date') }} || '疫情启动，全员检测一次' as evidence
    from evidence
)

select * from final
