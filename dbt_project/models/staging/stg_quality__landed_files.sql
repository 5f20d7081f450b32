select
    file_id,
    feed,
    file_name,
    status,
    reason,
    received_at,
    rows_read,
    rows_staged,
    rows_rejected,
    rows_superseded,
    rows_repaired,
    newest_update,
    suspicions
from {{ source('quality', 'landed_file') }}
where status <> 'unpacked'
