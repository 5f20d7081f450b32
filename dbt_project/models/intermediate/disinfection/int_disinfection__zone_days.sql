-- Article 27: the days on which a zone must be disinfected: those on which it was declared high or medium, up to D.
with declarations as (
    select * from {{ ref('stg_platform__risk_zones') }}
    where effective_date <= {{ as_of_date() }}
),

-- The notice that was updated last counts among several on one day.
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

-- No text asks for the disinfection of a zone of a level that the edition of the day does not have.
final as (
    select required.* from required
    inner join {{ ref('int_policy__zone_levels') }} as levels
        on
            required.level = levels.level
            and required.disinfection_date between levels.effective_from and levels.effective_to
    where required.required > 0
)

select * from final
