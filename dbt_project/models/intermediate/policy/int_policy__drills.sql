-- One row per article, kind of training or drill, and edition, with how often it must be held. An edition inherits the rows
-- that it does not mention from an earlier one.
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
