-- Article 28: one row per zone, moment and person who lives there on the day on which the zone is judged; a case is marked, not
-- left out. A resident belongs to the zone when (community, grid) is one of its grids; a notice that names no grid means the
-- whole community, so that a missing grid never makes a zone look empty.
with zones as (select * from {{ ref('int_zone__levels') }}),

clocks as (
    select
        zone_id,
        moment,
        judged_on
    from {{ ref('int_zone__clocks') }}
    where moment = 'present' or needs_full_round
),

residents as (select * from {{ ref('stg_platform__residents') }}),

cases as (
    select
        person_key,
        min(sample_date) as sample_date
    from {{ ref('stg_platform__cases') }}
    group by person_key
),

-- A lowering is judged by the zone's area before it.
places as (
    select
        clocks.*,
        case clocks.moment when 'lowering' then zones.previous_communities else zones.communities end as communities,
        case clocks.moment when 'lowering' then zones.previous_grids else zones.grids end as grids
    from clocks
    inner join zones on clocks.zone_id = zones.zone_id
),

areas as (
    select distinct
        places.zone_id,
        places.moment,
        places.judged_on,
        places.grids,
        area.community
    from places
    cross join lateral unnest(places.communities) as area (community)
),

registered as (
    select
        areas.zone_id,
        areas.moment,
        areas.judged_on,
        residents.person_key,
        coalesce(residents.moved_in_date, '-infinity'::date) as moved_in_date,
        coalesce(residents.moved_out_date, 'infinity'::date) as moved_out_date
    from areas
    inner join residents
        on
            areas.community = residents.community
            and (residents.grid = any(areas.grids) or cardinality(areas.grids) = 0)
),

final as (
    select
        registered.zone_id,
        registered.moment,
        registered.person_key,
        coalesce(cases.sample_date <= registered.judged_on, false) as is_case
    from registered
    left join cases on registered.person_key = cases.person_key
    where registered.judged_on between registered.moved_in_date and registered.moved_out_date
)

select * from final
