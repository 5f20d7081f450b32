-- Each group's rule with the days on which its edition is in force.
with editions as (select * from {{ ref('policy_edition') }}),

rules as (select * from {{ ref('policy_rule') }}),

departments as (
    select
        edition_code,
        group_code,
        string_agg(department, '、' order by ordinal) as departments
    from {{ ref('policy_rule_department') }}
    group by edition_code, group_code
),

final as (
    select
        rules.edition_code,
        editions.effective_from,
        coalesce(editions.effective_to, 'infinity'::date) as effective_to,
        rules.group_code,
        rules.group_name,
        rules.frequency_wording as rule_text,
        rules.basis,
        rules.rule_family,
        rules.tests_required,
        rules.period_days,
        rules.first_day_offset,
        rules.needs_anchor as is_anchored,
        coalesce(departments.departments, '') as departments
    from rules
    inner join editions on rules.edition_code = editions.edition_code
    left join departments
        on rules.edition_code = departments.edition_code and rules.group_code = departments.group_code
)

select * from final
