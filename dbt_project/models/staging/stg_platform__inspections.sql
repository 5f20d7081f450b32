select
    inspection_key,
    article,
    nullif(place, '') as place,
    nullif(place_type, '') as place_type,
    coalesce(community, '') as community,
    inspected_at,
    nullif(inspector, '') as inspector,
    nullif(finding, '') as finding,
    mend_by,
    mended_at,
    updated_at,
    file_id,
    line
from {{ source('platform', 'inspections') }}
