-- Article 28: the levels at which each edition lets a zone be declared. Replaced as a whole.
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
