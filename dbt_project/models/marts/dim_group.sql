-- This dimension has one row per population group under the edition in force on D, sorted in the plan's order.
with rules as (
    select * from {{ ref('int_policy__rules') }}
    where {{ as_of_date() }} between effective_from and effective_to
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        group_code,
        group_name as title,
        annex_row::int as annex_row,
        article::int as article,
        basis,
        rule_family,
        rule_text as frequency,
        coalesce(departments, '') as departments,
        row_number() over (order by annex_row is null, annex_row::int, group_code collate "C")::int as sort_order
    from rules
)

select * from final
