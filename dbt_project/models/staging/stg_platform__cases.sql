select
    {{ record_key('case_key') }} as case_key,
    person_key,
    case_type,
    source,
    sample_date,
    reported_at,
    community,
    grid,
    zone_key,
    transferred_at,
    nullif(hospital, '') as hospital,
    admitted_at,
    discharge_date,
    updated_at,
    file_id,
    line
from {{ source('platform', 'cases') }}
