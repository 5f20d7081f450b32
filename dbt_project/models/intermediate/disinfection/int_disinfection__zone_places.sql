-- Article 27: one row per zone and place, by folded name. The places are the buildings of its grids in the register, past
-- residents included, and the places that the disinfection log named in the zone up to D.
with zones as (select * from {{ ref('int_zone__levels') }}),

-- Without `materialized`, PostgreSQL would fold the building of every resident.
registered as materialized (
    select distinct
        community,
        grid,
        building
    from {{ ref('stg_platform__residents') }}
    where building <> ''
),

entries as (
    select
        zone_key,
        {{ comparable_text('place') }} as place
    from {{ ref('stg_platform__disinfections') }}
    where zone_key is not null and started_at < {{ as_of_date() }} + 1
),

places as (
    select
        zones.zone_id,
        {{ comparable_text('registered.building') }} as place,
        true as is_building
    from zones
    inner join registered
        on
            registered.community = any(zones.communities)
            and (registered.grid = any(zones.grids) or cardinality(zones.grids) = 0)
    union all
    select
        zone_key,
        place,
        false
    from entries
),

final as (
    select
        zone_id,
        place,
        bool_or(is_building) as is_building
    from places
    where place is not null
    group by zone_id, place
)

select * from final
