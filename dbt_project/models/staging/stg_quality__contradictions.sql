select
    contradiction_id,
    file_id,
    feed,
    columns
from {{ source('quality', 'contradiction') }}
