-- Articles 4, 6, 18, 25, 26 and 30: one row per control and slot up to the control's last day, with the result of the sample
-- that discharged the slot.
with periods as (select * from {{ ref('int_control__periods') }}),

slots as (
    select
        membership_id,
        slot,
        due_date,
        status,
        satisfied_on
    from {{ ref('int_obligation__unioned') }}
    where rule_family in ('anchored', 'admission', 'window')
),

-- Only the few days with a positive or pending sample need a lookup; all other samples are negative.
not_all_negative as (
    select distinct
        person_key,
        sample_date
    from {{ ref('int_sample__counting') }}
    where result in ('阳性', '待出')
),

-- A positive sample decides the result of its day, then a negative one; otherwise the result is pending.
results as materialized (
    select
        slots.membership_id,
        slots.slot,
        case
            when not_all_negative.person_key is null then '阴性'
            else (
                select
                    case
                        when bool_or(samples.result = '阳性') then '阳性'
                        when bool_or(samples.result = '阴性') then '阴性'
                        else '待出'
                    end
                from {{ ref('int_sample__counting') }} as samples
                where samples.person_key = periods.person_key and samples.sample_date = slots.satisfied_on
            )
        end as result
    from slots
    inner join periods on slots.membership_id = periods.membership_id
    left join not_all_negative
        on periods.person_key = not_all_negative.person_key and slots.satisfied_on = not_all_negative.sample_date
    where slots.satisfied_on is not null
),

final as (
    select
        slots.membership_id,
        slots.slot,
        slots.due_date,
        slots.status,
        slots.satisfied_on,
        results.result,
        slots.status in ('exempt', 'void') as is_lifted,
        slots.due_date <= coalesce(periods.isolation_ends_on, '-infinity'::date) as is_in_isolation,
        case
            when slots.status in ('exempt', 'void') then null
            when slots.status = 'upcoming' then {{ chinese_date('slots.due_date') }} || '待检测'
            when slots.satisfied_on is null then {{ chinese_date('slots.due_date') }} || '检测未做'
            when results.result = '阳性' then {{ chinese_date('slots.satisfied_on') }} || '检测结果阳性'
            when results.result = '待出' then {{ chinese_date('slots.satisfied_on') }} || '检测结果未出'
        end as lacking
    from slots
    inner join periods on slots.membership_id = periods.membership_id
    left join results on slots.membership_id = results.membership_id and slots.slot = results.slot
    where slots.due_date <= periods.ends_on
)

select * from final
