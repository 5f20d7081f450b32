select
    {{ record_key('release_key') }} as release_key,
    person_key,
    {{ record_key('record_key') }} as record_key,
    release_type,
    release_date,
    person_result,
    objects_result,
    environment_result,
    infection_excluded,
    updated_at,
    file_id,
    line
from {{ source('platform', 'releases') }}
