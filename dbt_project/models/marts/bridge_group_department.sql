-- This bridge has one row per group and competent department, under the edition in force on D.
with rules as (
    select * from {{ ref('int_policy__rules') }}
    where {{ as_of_date() }} between effective_from and effective_to
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        rules.group_code,
        departments.department
    from rules
    cross join lateral {{ each_and_all('rules.departments') }} as departments (department)
    where departments.department <> ''
)

select * from final
