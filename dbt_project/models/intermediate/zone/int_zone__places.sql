-- Article 28: one row per zone shows what else happens in its area: zones that claim the same grid, as after a split or a
-- merger, and the last local case there, whichever zone it names. This is shown beside the zone's own clock and does not move
-- it.
with zones as (select * from {{ ref('int_zone__levels') }}),

cases as (
    select * from {{ ref('stg_platform__cases') }}
    where source = '本土' and sample_date <= {{ as_of_date() }}
),

overlapping as (
    select
        zones.zone_id,
        array_agg(others.zone_id order by others.zone_id collate "C") as overlapping_zones,
        bool_or(others.level <> zones.level) as is_level_contested
    from zones
    inner join zones as others
        on
            zones.zone_id <> others.zone_id
            and zones.communities && others.communities
            and (zones.grids && others.grids or cardinality(zones.grids) = 0 or cardinality(others.grids) = 0)
    where zones.level <> '低' and others.level <> '低'
    group by zones.zone_id
),

positives as (
    select
        zones.zone_id,
        max(cases.sample_date) as place_last_positive_date
    from zones
    inner join cases
        on
            cases.community = any(zones.communities)
            and (cases.grid = any(zones.grids) or cardinality(zones.grids) = 0)
    group by zones.zone_id
),

final as (
    select
        zones.zone_id,
        coalesce(overlapping.overlapping_zones, '{}'::text[]) as overlapping_zones,
        coalesce(overlapping.is_level_contested, false) as is_level_contested,
        positives.place_last_positive_date
    from zones
    left join overlapping on zones.zone_id = overlapping.zone_id
    left join positives on zones.zone_id = positives.zone_id
)

select * from final
