-- Article 28: one row per edition and level at which it lets a zone be declared. An edition replaces the levels as a whole.
with levels as (
    select * from {{ rows_in_force('policy_zone_level', []) }} as held
),

final as (
    select
        in_force_edition_code as edition_code,
        effective_from,
        effective_to,
        level
    from levels
)

select * from final
