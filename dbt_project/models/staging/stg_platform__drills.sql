select
    drill_key,
    drill_type,
    nullif(article, '') as article,
    nullif(department, '') as department,
    held_on,
    attendance::int as attendance,
    updated_at,
    file_id,
    line
from {{ source('platform', 'drills') }}
