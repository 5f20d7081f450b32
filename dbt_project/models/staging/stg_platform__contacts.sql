select
    contact_key,
    person_key,
    case_key,
    category,
    last_exposure_date,
    judged_at,
    transferred_at,
    isolated_at,
    isolation_method,
    isolation_place,
    community,
    grid,
    updated_at,
    file_id,
    line
from {{ source('platform', 'contacts') }}
