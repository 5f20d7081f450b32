-- One row per anchored rule, day number and edition. An edition that changes a group's days lists all of them.
with days as (
    select * from {{ rows_in_force('policy_rule_day', ['group_code']) }} as held
),

final as (
    select
        in_force_edition_code as edition_code,
        group_code,
        day_number
    from days
)

select * from final
