-- This mart has one row per obligation that is open or was ever due as of D, with an explanation that cites its article.
{{ config(indexes=[
    {'columns': ['obligation_id'], 'unique': true},
    {'columns': ['person_key']},
    {'columns': ['status', 'due_date']}
]) }}

with obligations as (select * from {{ ref('int_obligation__unioned') }}),

last_samples as (
    select
        person_key,
        sample_dates[1] as last_sample_date
    from {{ ref('int_sample__person_dates') }}
),

dated as (
    select
        obligations.*,
        last_samples.last_sample_date,
        case when obligations.status = 'overdue' then ({{ as_of_date() }} - obligations.due_date) + 1 else 0 end
            as days_overdue,
        {{ unit_key('obligations.unit', 'obligations.membership_id', 'obligations.group_code') }} as unit_key
    from obligations
    left join last_samples on obligations.person_key = last_samples.person_key
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        {{ obligation_id() }} as obligation_id,
        membership_id,
        person_key,
        group_code,
        group_name,
        rule_family,
        basis,
        rule_text,
        slot,
        unit,
        department,
        community,
        grid,
        due_date,
        status,
        days_overdue,
        satisfied_on,
        last_sample_date,
        needs_review,
        basis || '：' || rule_text || '；' || evidence || '；' || {{ explain_status() }}
        || case when needs_review then '（来源区域与风险区名单不一致，待核实）' else '' end as explanation,
        unit_key
    from dated
)

select * from final
