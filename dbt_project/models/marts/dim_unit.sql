-- This dimension has one row per unit that a row of another mart names, with the communities and departments of those rows.
with named as (
    select
        unit_key,
        unit,
        community,
        department
    from {{ ref('obligation') }}
    union
    select
        unit_key,
        unit,
        community,
        department
    from {{ ref('sampling_unit_daily') }}
    union
    -- The membership of a closed episode may no longer exist, so the unit's name comes from its key.
    select
        unit_key,
        substr(unit_key, position(':' in unit_key) + 1) as unit,
        community,
        department
    from {{ ref('overdue_episode') }}
    union
    select
        sites.unit_key,
        substr(sites.unit_key, char_length('workplace:') + 1) as unit,
        places.community,
        sites.department
    from {{ ref('key_site_disinfection') }} as sites
    cross join lateral unnest(sites.communities) as places (community)
),

departments as (
    select distinct
        named.unit_key,
        names.department
    from named
    cross join lateral {{ each_and_all('named.department') }} as names (department)
    where names.department is not null
),

joined_departments as (
    select
        unit_key,
        string_agg(distinct department collate "C", '、' order by department collate "C") as department
    from departments
    group by unit_key
),

places as (
    select distinct
        unit_key,
        unit,
        community
    from named
),

placed as (
    select
        unit_key,
        min(unit) as unit,
        array_agg(community order by community) as communities
    from places
    group by unit_key
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        placed.unit_key,
        left(placed.unit_key, greatest(position(':' in placed.unit_key) - 1, 0)) as kind,
        placed.unit,
        coalesce(nullif(placed.unit, ''), '（未填）') as title,
        placed.communities,
        joined_departments.department,
        row_number() over (order by placed.unit = '', placed.unit_key collate "C")::int as sort_order
    from placed
    inner join joined_departments on placed.unit_key = joined_departments.unit_key
)

select * from final
