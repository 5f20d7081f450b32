select
    rejected_id,
    file_id,
    feed,
    reason_codes,
    sender,
    rejected_at,
    resolved_at
from {{ source('quality', 'rejected_row') }}
