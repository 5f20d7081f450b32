select
    notice_key,
    declaration_type,
    {{ split_list('communities') }} as communities,
    {{ split_list('grids') }} as grids,
    started_at,
    ended_at,
    updated_at,
    file_id,
    line
from {{ source('platform', 'declarations') }}
