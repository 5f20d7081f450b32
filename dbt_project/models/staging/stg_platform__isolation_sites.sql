select
    site_key,
    nullif(site_name, '') as site_name,
    status,
    rooms::int as rooms,
    rooms_free::int as rooms_free,
    staff::int as staff,
    hours_to_open::int as hours_to_open,
    reported_on,
    updated_at,
    file_id,
    line
from {{ source('platform', 'isolation_sites') }}
