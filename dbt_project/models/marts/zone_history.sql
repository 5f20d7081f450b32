-- One row per area, level and uninterrupted stay on the national lists, from all lists up to the end of D. A stay is not
-- interrupted while the area is missing for less than a day, as from a truncated list.
with areas as (select * from {{ ref('stg_national__risk_areas') }} where listed_at < {{ as_of_date() }} + 1),

snapshots as (
    select
        listed_at,
        lead(listed_at) over (order by listed_at) as next_listed_at
    from {{ ref('stg_national__risk_area_snapshots') }}
    where is_held is not true and listed_at < {{ as_of_date() }} + 1
),

allowed_gap as (
    select {{ parameter('zone_gap_hours', as_of_date()) }} as hours
),

listed as (
    select distinct
        coalesce(areas.province, '') as province,
        coalesce(areas.city, '') as city,
        coalesce(areas.county, '') as county,
        areas.area,
        areas.level,
        areas.listed_at,
        snapshots.next_listed_at
    from areas
    inner join snapshots on areas.listed_at = snapshots.listed_at
),

marked as (
    select
        *,
        listed_at > lag(next_listed_at) over area_and_level + interval '1 hour' * (select allowed_gap.hours from allowed_gap)
            is not false as is_start
    from listed
    window area_and_level as (partition by province, city, county, area, level order by listed_at)
),

numbered as (
    select
        *,
        count(*) filter (where is_start) over (partition by province, city, county, area, level order by listed_at) as run
    from marked
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        province,
        city,
        county,
        area,
        level,
        min(listed_at) as listed_from,
        (array_agg(next_listed_at order by listed_at desc))[1] as listed_to,
        count(*)::int as lists
    from numbered
    group by province, city, county, area, level, run
)

select * from final
