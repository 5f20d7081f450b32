-- One row per edition with the days on which it is in force, up to the day before the next edition. The first edition has no
-- first day.
with editions as (select * from {{ ref('policy_edition') }}),

final as (
    select
        edition_code,
        title,
        case when row_number() over by_date = 1 then '-infinity'::date else effective_from end as effective_from,
        -- A later edition ends the one before it, whatever that one's last day says.
        least(
            coalesce(effective_to, 'infinity'::date),
            lead(effective_from) over by_date - 1
        ) as effective_to
    from editions
    window by_date as (order by effective_from nulls first)
)

select * from final
