-- Article 27: one row per unit, group, place and term in which people work at a key site (units of annex rows 9, 12–15, 17, 23,
-- 24 and 28). `unit` is the folded name, which is matched with the disinfection log; `unit_name` is the name that obligations
-- have.
with roster as (select * from {{ ref('int_membership__from_roster') }}),

key_sites as (
    select distinct group_code from {{ ref('int_policy__key_sites') }}
    where {{ as_of_date() }} between effective_from and effective_to
),

-- A full release of a roster record ends it, as it ends the membership (int_membership__unified).
full_releases as (
    select
        record_key,
        min(release_date) as release_date
    from {{ ref('stg_platform__releases') }}
    where release_type = '全部管控'
    group by record_key
),

-- Each name is folded once, since many records have the same one.
units as materialized (select distinct unit from roster),

folded_units as materialized (
    select
        unit,
        {{ comparable_text('unit') }} as folded
    from units
),

final as (
    select distinct
        folded_units.folded as unit,
        roster.unit as unit_name,
        roster.group_code,
        coalesce(roster.department, '') as department,
        coalesce(roster.community, '') as community,
        coalesce(roster.grid, '') as grid,
        roster.start_date,
        least(
            coalesce(roster.end_date, 'infinity'::date), coalesce(full_releases.release_date, 'infinity'::date)
        ) as end_date
    from roster
    left join full_releases on roster.membership_id = full_releases.record_key
    inner join key_sites on roster.group_code = key_sites.group_code
    inner join folded_units on roster.unit = folded_units.unit
    where folded_units.folded is not null and roster.start_date <= {{ as_of_date() }}
)

select * from final
