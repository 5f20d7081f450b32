-- Article 16: one row per person who is in the town on D as a resident, floating or key person. A key person belongs to the
-- grid of the register, or to the grid of the membership if the register lacks the person.
{{ config(indexes=[{'columns': ['person_key'], 'unique': true}]) }}

with residents as (select * from {{ ref('int_population__registered') }}),

active as (
    select * from {{ ref('int_membership__unified') }}
    where coalesce(end_date, 'infinity'::date) >= {{ as_of_date() }}
),

-- The latest membership says where the person is, but one with a community takes precedence.
memberships as (
    select *
    from (
        select distinct on (person_key) * from active
        order by person_key, community = '', start_date desc, membership_id collate "C"
    ) as newest
),

final as (
    select
        coalesce(residents.person_key, memberships.person_key) as person_key,
        case when residents.person_key is null then memberships.community else coalesce(residents.community, '') end
            as community,
        case when residents.person_key is null then memberships.grid else coalesce(residents.grid, '') end as grid,
        nullif(residents.resident_type, '') as resident_type,
        residents.person_key is not null as is_registered,
        memberships.person_key is not null as is_key_person
    from residents
    full outer join memberships on residents.person_key = memberships.person_key
)

select * from final
