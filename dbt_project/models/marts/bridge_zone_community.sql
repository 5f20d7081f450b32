-- This bridge has one row per zone and community.
with zones as (select * from {{ ref('risk_zone') }}),

final as (
    select distinct
        {{ as_of_date() }} as as_of_date,
        zones.zone_id,
        places.community
    from zones
    cross join lateral unnest(zones.communities) as places (community)
)

select * from final
