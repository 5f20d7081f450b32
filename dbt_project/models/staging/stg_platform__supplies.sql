select
    supply_key,
    nullif(item, '') as item,
    nullif(unit_of_measure, '') as unit_of_measure,
    stock,
    daily_use,
    floor_days::int as floor_days,
    nullif(department, '') as department,
    reported_on,
    updated_at,
    file_id,
    line
from {{ source('platform', 'supplies') }}
