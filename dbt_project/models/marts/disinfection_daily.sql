-- Article 27: whether each high- or medium-risk zone was disinfected as often as it must be, day by day.
with zone_days as (select * from {{ ref('int_disinfection__zone_days') }}),

zones as (select * from {{ ref('int_zone__levels') }}),

entries as (
    select * from {{ ref('stg_platform__disinfections') }}
    where disinfection_type = '预防性' and zone_key is not null
),

counted as (
    select
        zone_key as zone_id,
        started_at::date as disinfection_date,
        count(*) as done
    from entries
    group by zone_key, started_at::date
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        zone_days.zone_id,
        zones.name,
        zones.communities,
        zone_days.level,
        zone_days.disinfection_date,
        zone_days.required,
        coalesce(counted.done, 0)::int as done,
        greatest(zone_days.required - coalesce(counted.done, 0), 0)::int as shortfall
    from zone_days
    inner join zones on zone_days.zone_id = zones.zone_id
    left join counted
        on zone_days.zone_id = counted.zone_id and zone_days.disinfection_date = counted.disinfection_date
)

select * from final
