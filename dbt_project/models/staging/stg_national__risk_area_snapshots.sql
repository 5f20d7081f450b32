select
    listed_at,
    file_id,
    is_held
from {{ source('platform', 'risk_area_snapshots') }}
