-- Article 27: one row per running key site and day of an outbreak shows whether the site was disinfected as often as required.
-- The disinfection log names the site in 场所, inside or outside a zone.
with unit_days as (select * from {{ ref('int_disinfection__key_site_days') }}),

entries as (
    select
        {{ comparable_text('place') }} as unit,
        started_at::date as disinfection_date
    from {{ ref('stg_platform__disinfections') }}
    where disinfection_type = '预防性' and started_at < {{ as_of_date() }} + 1
),

counted as (
    select
        unit,
        disinfection_date,
        count(*) as done
    from entries
    group by unit, disinfection_date
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        unit_days.unit,
        unit_days.group_codes,
        unit_days.department,
        unit_days.communities,
        unit_days.disinfection_date,
        unit_days.required,
        coalesce(counted.done, 0)::int as done,
        greatest(unit_days.required - coalesce(counted.done, 0), 0)::int as shortfall,
        'workplace:' || unit_days.unit_name as unit_key
    from unit_days
    left join counted
        on unit_days.unit = counted.unit and unit_days.disinfection_date = counted.disinfection_date
)

select * from final
