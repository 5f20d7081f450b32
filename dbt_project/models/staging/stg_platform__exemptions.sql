select
    {{ record_key('exemption_key') }} as exemption_key,
    person_key,
    group_code,
    start_date,
    end_date,
    reason,
    approved_by,
    updated_at,
    file_id,
    line
from {{ source('platform', 'exemptions') }}
