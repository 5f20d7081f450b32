-- Article 27: one row per key site and day of an outbreak up to D on which the site has people in a place of the outbreak.
with members as (select * from {{ ref('int_disinfection__key_site_members') }}),

outbreaks as (select * from {{ ref('int_outbreak__place_periods') }}),

listed as materialized {{ first_listed_day() }},

unit_days as materialized (
    select distinct
        members.unit,
        members.unit_name,
        members.group_code,
        members.department,
        members.community,
        day_at::date as disinfection_date
    from members
    inner join outbreaks on members.community = outbreaks.community and members.grid = outbreaks.grid
    cross join listed
    cross join lateral generate_series(
        greatest(members.start_date, outbreaks.start_date, listed.first_day)::timestamp,
        least(members.end_date, outbreaks.end_date, {{ as_of_date() }})::timestamp,
        interval '1 day'
    ) as numbered (day_at)
),

communities as (
    select
        unit,
        disinfection_date,
        array_agg(community order by community collate "C") as communities
    from (select distinct unit, disinfection_date, community from unit_days) as places
    group by unit, disinfection_date
),

described as (
    select
        unit,
        disinfection_date,
        min(unit_name) as unit_name,
        string_agg(distinct group_code, '、' order by group_code) as group_codes,
        string_agg(distinct department, '、' order by department) as department
    from unit_days
    group by unit, disinfection_date
),

requirements as (
    select
        disinfection_date,
        {{ parameter('disinfections_per_day', 'disinfection_date') }} as required
    from (select distinct disinfection_date from unit_days) as disinfection_days
),

final as (
    select
        described.unit,
        described.unit_name,
        described.disinfection_date,
        described.group_codes,
        described.department,
        communities.communities,
        requirements.required
    from described
    inner join communities
        on described.unit = communities.unit and described.disinfection_date = communities.disinfection_date
    inner join requirements on described.disinfection_date = requirements.disinfection_date
    where requirements.required > 0
)

select * from final
