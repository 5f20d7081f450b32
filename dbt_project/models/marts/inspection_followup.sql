-- Articles 5, 8 to 17, 27 and 32, section 4 (五): one row per inspection shows whether its finding was put right in time.
{{ config(indexes=[{'columns': ['inspection_id'], 'unique': true}]) }}

with inspections as (
    select
        *,
        {{ parameter('inspection_mend_days', 'inspections.inspected_at::date') }} as allowed_days
    from {{ ref('stg_platform__inspections') }} as inspections
    where inspected_at < {{ as_of_date() }} + 1
),

-- A deadline or a date of correction implies a finding, even if the finding itself is blank.
known as (
    select
        inspection_key,
        {{ article_number('article') }} as article,
        coalesce(place, '') as place,
        coalesce(place_type, '') as place_type,
        community,
        coalesce(inspector, '') as inspector,
        inspected_at::date as found_on,
        coalesce(mend_by, inspected_at::date + allowed_days) as due_on,
        mend_by is null as is_due_by_parameter,
        case when mended_at < {{ as_of_date() }} + 1 then mended_at::date end as mended_on,
        coalesce({{ comparable_text('finding') }}, '无') <> '无' or mend_by is not null or mended_at is not null as has_finding
    from inspections
),

judged as (
    select
        *,
        case
            when not has_finding then 'passed'
            when mended_on <= due_on then 'satisfied'
            when mended_on is not null then 'satisfied_late'
            when due_on <= {{ as_of_date() }} then 'overdue'
            else 'waiting'
        end as status
    from known
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        inspection_key as inspection_id,
        article,
        place,
        place_type,
        community,
        inspector,
        found_on,
        case when has_finding then due_on end as due_on,
        mended_on,
        status,
        case when status = 'overdue' then ({{ as_of_date() }} - due_on) + 1 else 0 end as days_overdue,
        (coalesce(mended_on, {{ as_of_date() }}) - found_on) as days_open,
        case when article = '' then '' else '方案条款' || article || '：' end
        || {{ chinese_date('found_on') }} || '检查'
        || case
            when not has_finding then '未发现问题'
            else
                '发现问题，应于' || {{ chinese_date('due_on') }} || '（含）前整改'
                || case when is_due_by_parameter then '（未填整改时限，按默认天数）' else '' end
                || case status
                    when 'satisfied' then '，' || {{ chinese_date('mended_on') }} || '完成'
                    when 'satisfied_late' then '，' || {{ chinese_date('mended_on') }} || '才完成'
                    when 'overdue' then '，逾期未整改'
                    else '，尚未完成'
                end
        end as explanation
    from judged
)

select * from final
