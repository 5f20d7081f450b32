-- Article 27: one row per preventive entry of the log and place that it names in 场所 or 楼栋, by folded name. An entry that names
-- a place twice counts once.
with entries as (
    select * from {{ ref('stg_platform__disinfections') }}
    where disinfection_type = '预防性' and started_at < {{ as_of_date() }} + 1
),

named as (
    select
        disinfection_key,
        zone_key,
        started_at::date as disinfection_date,
        {{ comparable_text('place') }} as place
    from entries
    union
    select
        disinfection_key,
        zone_key,
        started_at::date as disinfection_date,
        {{ comparable_text('building') }} as place
    from entries
),

final as (select * from named where place is not null)

select * from final
