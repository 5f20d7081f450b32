select
    case_key,
    person_key,
    case_type,
    source,
    sample_date,
    reported_at,
    community,
    grid,
    zone_key,
    discharge_date,
    updated_at,
    file_id,
    line
from {{ source('platform', 'cases') }}
