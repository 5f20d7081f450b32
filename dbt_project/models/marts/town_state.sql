-- Article 23: a single row says whether the town is in emergency (急) or in normal times (平) at the end of D, since when, and
-- why.
with periods as (select * from {{ ref('int_state__periods') }}),

cases as (
    select coalesce(reported_at, sample_date::timestamp) as found_at
    from {{ ref('stg_platform__cases') }}
    where source = '本土'
),

-- Events after the end of D are not known yet, so the period without an end is the current one.
present as (select * from periods where to_at is null),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        present.state,
        present.from_at as since,
        case
            when present.trigger_kind = 'case'
                then
                    {{ chinese_date('present.from_at') }} || {{ clock_time('present.from_at') }}
                    || '报告本土感染者（' || present.trigger_key || '）'
            when present.trigger_kind = 'declaration'
                then
                    {{ chinese_date('present.from_at') }} || {{ clock_time('present.from_at') }}
                    || '通告疫情启动（' || present.trigger_key || '）'
            when present.trigger_kind = 'end'
                then
                    {{ chinese_date('present.from_at') }} || {{ clock_time('present.from_at') }}
                    || '疫情结束' || coalesce('（' || present.trigger_key || '）', '')
            else '没有本土感染者，也没有疫情启动的通告'
        end as why,
        '第二十三条' as basis,
        present.trigger_kind,
        present.trigger_key,
        ({{ as_of_date() }} - present.from_at::date) + 1 as days,
        case
            when present.state = '急'
                then (
                    select count(*) from cases
                    where cases.found_at >= present.from_at and cases.found_at < {{ as_of_date() }} + 1
                )::int
            else 0
        end as local_cases
    from present
)

select * from final
