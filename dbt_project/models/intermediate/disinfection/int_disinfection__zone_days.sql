-- Article 27: one row per zone and day up to D on which it must be disinfected, because it was declared high or medium.
with declarations as (
    select * from {{ ref('stg_platform__risk_zones') }}
    where effective_date <= {{ as_of_date() }}
),

-- If several notices take effect on one day, the one that was updated last counts.
daily as (
    select *
    from (
        select distinct on (zone_key, effective_date) * from declarations
        order by zone_key, effective_date, updated_at desc, file_id desc, line desc
    ) as newest
),

spans as (
    select
        zone_key as zone_id,
        level,
        effective_date as from_date,
        coalesce(lead(effective_date) over (partition by zone_key order by effective_date) - 1, {{ as_of_date() }})
            as to_date
    from daily
),

listed as materialized {{ first_listed_day() }},

days as (
    select
        spans.zone_id,
        spans.level,
        day_at::date as disinfection_date
    from spans
    cross join listed
    cross join lateral generate_series(
        greatest(spans.from_date, listed.first_day)::timestamp,
        spans.to_date::timestamp,
        interval '1 day'
    ) as numbered (day_at)
    where spans.level in ('高', '中')
),

required as (
    select
        *,
        {{ parameter('disinfections_per_day', 'days.disinfection_date') }} as required
    from days
),

-- A level that the edition of the day does not have requires no disinfection.
final as (
    select required.* from required
    inner join {{ ref('int_policy__zone_levels') }} as levels
        on
            required.level = levels.level
            and required.disinfection_date between levels.effective_from and levels.effective_to
    where required.required > 0
)

select * from final
