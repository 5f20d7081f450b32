-- The numbers that rules need, in each edition, with the days on which it is in force.
with parameters as (
    select * from {{ rows_in_force('policy_parameter', ['name']) }} as held
),

final as (
    select
        in_force_edition_code as edition_code,
        effective_from,
        effective_to,
        name,
        value
    from parameters
)

select * from final
