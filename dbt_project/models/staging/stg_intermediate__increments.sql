select
    model,
    definition,
    change_id
from {{ source('progress', 'increment_progress') }}
