{% macro explain_status() -%}
    {#-
    This is the last part of an obligation's explanation, with the due date and the current status. It reads the columns
    `status`, `due_date`, `days_overdue` and `satisfied_on`.
    -#}
    case status
        when 'overdue'
            then '应于' || {{ chinese_date('due_date') }} || '（含）前采样，已超期' || days_overdue || '天'
        when 'upcoming' then '应于' || {{ chinese_date('due_date') }} || '（含）前采样'
        when 'satisfied' then '应于' || {{ chinese_date('due_date') }} || '采样，已于' || {{ chinese_date('satisfied_on') }} || '采样'
        when 'satisfied_late'
            then
                '应于' || {{ chinese_date('due_date') }} || '采样，' || {{ chinese_date('satisfied_on') }}
                || '才采样，迟' || (satisfied_on - due_date) || '天'
        when 'missed' then '应于' || {{ chinese_date('due_date') }} || '采样，期限内没有采样'
        when 'exempt' then '经批准免检，本次不作要求'
        when 'void' then '感染者管理期间，本次不作要求'
    end
{%- endmacro %}
