-- Article 27: one row per zone, place and day shows whether a place in a high- or medium-risk zone was disinfected as often as
-- required. Each place is counted by itself: disinfecting a zone's lift twice does not make up for its buildings.
with zone_days as (select * from {{ ref('int_disinfection__zone_days') }}),

zones as (select * from {{ ref('int_zone__levels') }}),

places as (select * from {{ ref('int_disinfection__zone_places') }}),

counted as (
    select
        zone_key as zone_id,
        place,
        disinfection_date,
        count(*) as done
    from {{ ref('int_disinfection__named_places') }}
    where zone_key is not null
    group by zone_key, place, disinfection_date
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        zone_days.zone_id,
        zones.name,
        zones.communities,
        zone_days.level,
        places.place,
        places.is_building,
        zone_days.disinfection_date,
        zone_days.required,
        coalesce(counted.done, 0)::int as done,
        greatest(zone_days.required - coalesce(counted.done, 0), 0)::int as shortfall
    from zone_days
    inner join zones on zone_days.zone_id = zones.zone_id
    inner join places on zone_days.zone_id = places.zone_id
    left join counted
        on
            zone_days.zone_id = counted.zone_id
            and zone_days.disinfection_date = counted.disinfection_date
            and places.place = counted.place
)

select * from final
