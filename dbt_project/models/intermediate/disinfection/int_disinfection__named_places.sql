-- Article 27: the places that each preventive entry of the log names, in 场所 or in 楼栋. One row per entry and place, by
-- its folded name: an entry that names one place twice is done once.
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
