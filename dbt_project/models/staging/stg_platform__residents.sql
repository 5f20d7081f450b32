select
    person_key,
    birth_date,
    community,
    grid,
    building,
    resident_type,
    moved_in_date,
    moved_out_date,
    updated_at,
    file_id,
    line
from {{ source('platform', 'residents') }}
