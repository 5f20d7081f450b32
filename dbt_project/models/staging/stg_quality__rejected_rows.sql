select
    rejected_id,
    file_id,
    feed,
    reason_codes,
    rejected_at,
    resolved_at
from {{ source('quality', 'rejected_row') }}
