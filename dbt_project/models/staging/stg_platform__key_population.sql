select
    {{ record_key('record_key') }} as record_key,
    person_key,
    group_code,
    unit,
    department,
    community,
    grid,
    start_date,
    anchor_date,
    end_date,
    custom_frequency,
    updated_at,
    file_id,
    line
from {{ source('platform', 'key_population') }}
