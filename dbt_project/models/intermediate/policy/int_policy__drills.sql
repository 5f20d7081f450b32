-- Which articles ask for trainings or drills, and how often, in each edition: its own rows, or an earlier edition's.
with drills as (
    select * from {{ rows_in_force('policy_drill', ['article', 'drill_type']) }} as held
),

final as (
    select
        in_force_edition_code as edition_code,
        effective_from,
        effective_to,
        article,
        drill_type,
        every_days
    from drills
)

select * from final
