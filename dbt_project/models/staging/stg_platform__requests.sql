select
    request_key,
    nullif(zone_key, '') as zone_key,
    coalesce(community, '') as community,
    coalesce(grid, '') as grid,
    category,
    received_at,
    closed_at,
    nullif(department, '') as department,
    updated_at,
    file_id,
    line
from {{ source('platform', 'requests') }}
