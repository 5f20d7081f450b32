-- One row per answer up to D to an item of a list (policy semantics, "Disposition"). An obligation is the same item on every
-- list, so an answer given before it was due stays beside it when it is overdue.

with dispositions as (
    select * from {{ ref('stg_platform__dispositions') }}
    where handled_at < {{ as_of_date() }} + 1
),

final as (
    select
        disposition_key,
        case when {{ comparable_text('list_name') }} in ('obligation', 'due', 'overdue') then 'obligation'
            else {{ comparable_text('list_name') }} end as item_kind,
        trim(item_key) as item_id,
        result,
        handled_at,
        updated_at
    from dispositions
)

select * from final
