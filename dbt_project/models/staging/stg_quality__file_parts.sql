select
    file_id,
    sender,
    day,
    rows,
    rows_new
from {{ source('quality', 'file_part') }}
