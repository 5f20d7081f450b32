-- Article 16: who is in each grid on D, resident, floating or key person. A key person is looked after in the grid
-- where the register has him or her living; one whom the register does not have, in the grid of the record.
{{ config(indexes=[{'columns': ['person_key'], 'unique': true}]) }}

with residents as (select * from {{ ref('int_population__registered') }}),

active as (
    select * from {{ ref('int_membership__unified') }}
    where coalesce(end_date, 'infinity'::date) >= {{ as_of_date() }}
),

-- The membership that began last says where the person is; one with a community goes before one without.
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
