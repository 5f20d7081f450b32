-- Annex row 38 and A07: one row per membership for which no frequency was set. No obligation can be computed for it, so it is
-- listed here instead of being lost.
with memberships as (
    select * from {{ ref('int_membership__unified') }}
    where
        rule_family = 'as_required'
        and tests_required is null
        and coalesce(end_date, 'infinity'::date) >= {{ as_of_date() }}
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        membership_id,
        person_key,
        group_code,
        basis,
        unit,
        department,
        community,
        grid
    from memberships
)

select * from final
