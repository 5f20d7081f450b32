-- One row per provision, responsible unit (责任单位) and edition. An edition that changes a provision's units lists all of them.
with responsibilities as (
    select * from {{ rows_in_force('policy_responsibility', ['provision']) }} as held
),

final as (
    select
        in_force_edition_code as edition_code,
        effective_from,
        effective_to,
        provision,
        ordinal,
        unit,
        basis
    from responsibilities
)

select * from final
