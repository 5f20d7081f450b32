-- Article 27: one row per case and place that the log lists for it, with the times of its terminal disinfection. A case without
-- a listed place has one row with a blank place.
with cases as (
    select
        *,
        {{ parameter('disinfections_per_day', 'known.sample_date') }} > 0 as is_to_disinfect
    from {{ ref('stg_platform__cases') }} as known
    where sample_date <= {{ as_of_date() }}
),

entries as (
    select * from {{ ref('stg_platform__disinfections') }}
    where case_key is not null and started_at < {{ as_of_date() }} + 1
),

-- Spellings that are equal after folding are one place; an entry without 场所 uses its 楼栋.
named as (
    select
        *,
        coalesce({{ comparable_text('place') }}, {{ comparable_text('building') }}, '') as named_place
    from entries
),

places as (
    select
        case_key,
        named_place as place,
        min(started_at) as listed_at,
        min(started_at) filter (where disinfection_type = '终末') as started_at,
        min(ended_at) filter (where disinfection_type = '终末' and ended_at < {{ as_of_date() }} + 1) as finished_at
    from named
    group by case_key, named_place
),

final as (
    select
        coalesce(cases.case_key, places.case_key) as case_key,
        coalesce(places.place, '') as place,
        cases.case_key is not null as is_known_case,
        cases.source,
        nullif(cases.zone_key, '') as zone_id,
        coalesce(cases.community, '') as community,
        coalesce(cases.grid, '') as grid,
        cases.reported_at,
        places.listed_at,
        places.started_at,
        places.finished_at,
        case
            when places.finished_at is not null then 'done'
            when places.started_at is not null then 'started'
            when places.case_key is not null then 'listed'
            else 'nothing_listed'
        end as status
    from cases
    full outer join places on cases.case_key = places.case_key
    where coalesce(cases.is_to_disinfect, true)
)

select * from final
