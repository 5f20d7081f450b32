select
    notice_key,
    zone_key,
    zone_name,
    level,
    {{ split_list('community') }} as communities,
    {{ split_list('grid') }} as grids,
    effective_date,
    updated_at,
    file_id,
    line
from {{ source('platform', 'risk_zones') }}
