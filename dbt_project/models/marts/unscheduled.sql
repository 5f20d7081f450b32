-- Annex row 38, and A07: members for whom no frequency was set, so that nothing can be computed. They are listed, not lost.
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
