select
    disinfection_key,
    nullif(zone_key, '') as zone_key,
    nullif(case_key, '') as case_key,
    coalesce(place, '') as place,
    coalesce(building, '') as building,
    disinfection_type,
    started_at,
    ended_at,
    updated_at,
    file_id,
    line
from {{ source('platform', 'disinfections') }}
