-- Article 27: the days on which a zone must be disinfected: those on which it was declared high or medium, up to D.
with declarations as (
    select * from {{ ref('stg_platform__risk_zones') }}
    where effective_date <= {{ as_of_date() }}
),

-- Of several notices on one day the one that was updated last counts.
daily as (
    select *
    from {{ first_per('declarations', 'zone_key, effective_date', 'updated_at desc, file_id desc, line desc') }} as newest
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

days as (
    select
        spans.zone_id,
        spans.level,
        day_at::date as disinfection_date
    from spans
    cross join lateral {{ days('spans.from_date', 'spans.to_date') }} as numbered (day_at)
    where spans.level in ('高', '中')
),

final as (
    select
        *,
        {{ parameter('disinfections_per_day', 'days.disinfection_date') }} as required
    from days
)

select * from final
