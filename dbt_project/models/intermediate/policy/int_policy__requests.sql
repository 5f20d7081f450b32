-- Within how many hours each kind of request is seen to, in each edition: its own rows, or an earlier edition's.
with requests as (
    select * from {{ rows_in_force('policy_request', ['category']) }} as held
),

final as (
    select
        in_force_edition_code as edition_code,
        effective_from,
        effective_to,
        category,
        allowed_hours
    from requests
)

select * from final
