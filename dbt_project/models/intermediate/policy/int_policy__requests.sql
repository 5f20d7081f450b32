-- One row per kind of request and edition, with the hours within which it must be closed. An edition inherits the rows that it
-- does not mention from an earlier one.
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
