select
    {{ record_key('health_check_key') }} as health_check_key,
    person_key,
    measured_at,
    temperature,
    nullif(symptoms, '') as symptoms,
    nullif(recorded_by, '') as recorded_by,
    updated_at,
    file_id,
    line
from {{ source('platform', 'health_checks') }}
