-- Each edition with the days on which it is in force: from its first day to the day before the next one's.
with editions as (select * from {{ ref('policy_edition') }}),

final as (
    select
        edition_code,
        title,
        effective_from,
        -- A later edition ends the one before it, whatever that one's last day says.
        least(
            coalesce(effective_to, {{ no_end() }}),
            lead(effective_from) over (order by effective_from) - 1
        ) as effective_to
    from editions
)

select * from final
