-- Article 27: one row per group whose units are key sites and edition, with the days on which the edition is in force.
with key_sites as (
    select * from {{ rows_in_force('policy_key_site', []) }} as held
),

final as (
    select
        in_force_edition_code as edition_code,
        effective_from,
        effective_to,
        group_code
    from key_sites
)

select * from final
