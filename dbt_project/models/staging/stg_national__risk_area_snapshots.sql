select
    listed_at,
    file_id
from {{ source('platform', 'risk_area_snapshots') }}
