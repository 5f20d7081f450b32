-- One row per group and edition has the group's rule and the days on which the edition is in force.
with rules as (
    select * from {{ rows_in_force('policy_rule', ['group_code']) }} as held
),

departments as (
    select
        in_force_edition_code,
        group_code,
        string_agg(department, '、' order by ordinal) as departments
    from {{ rows_in_force('policy_rule_department', ['group_code']) }} as held
    group by in_force_edition_code, group_code
),

final as (
    select
        rules.in_force_edition_code as edition_code,
        rules.effective_from,
        rules.effective_to,
        rules.group_code,
        rules.group_name,
        rules.frequency_wording as rule_text,
        rules.annex_row,
        rules.article,
        rules.basis,
        rules.basis_kind,
        rules.rule_family,
        rules.tests_required,
        rules.period_days,
        rules.first_day_offset,
        rules.needs_anchor as is_anchored,
        rules.first_test,
        rules.late_first_test,
        rules.is_high_risk_post,
        coalesce(departments.departments, '') as departments
    from rules
    left join departments
        on
            rules.in_force_edition_code = departments.in_force_edition_code
            and rules.group_code = departments.group_code
)

select * from final
