-- One row per parameter of the rules and edition, with the days on which the edition is in force.
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
