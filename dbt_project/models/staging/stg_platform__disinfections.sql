with cases as (
    select
        case_key as sent_key,
        {{ record_key('case_key') }} as case_key
    from {{ source('platform', 'cases') }}
)

select
    disinfections.disinfection_key,
    nullif(disinfections.zone_key, '') as zone_key,
    coalesce(cases.case_key, nullif(disinfections.case_key, '')) as case_key,
    coalesce(disinfections.place, '') as place,
    coalesce(disinfections.building, '') as building,
    disinfections.disinfection_type,
    disinfections.started_at,
    disinfections.ended_at,
    disinfections.updated_at,
    disinfections.file_id,
    disinfections.line
from {{ source('platform', 'disinfections') }} as disinfections
left join cases on disinfections.case_key = cases.sent_key
