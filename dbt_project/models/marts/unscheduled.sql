-- Annex row 38: members for whom no frequency was set, so that nothing can be computed. They are listed, not lost.
with memberships as (
    select * from {{ ref('int_membership__unified') }}
    where
        rule_family = 'as_required'
        and coalesce(end_date, {{ no_end() }}) >= {{ as_of_date() }}
),

frequencies as (select * from {{ ref('int_membership__custom_frequencies') }}),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        memberships.membership_id,
        memberships.person_key,
        memberships.group_code,
        memberships.basis,
        memberships.unit,
        memberships.department,
        memberships.community,
        memberships.grid
    from memberships
    left join frequencies on memberships.membership_id = frequencies.membership_id
    where frequencies.membership_id is null
)

select * from final
