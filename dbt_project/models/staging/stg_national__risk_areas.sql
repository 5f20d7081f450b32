select
    listed_at,
    level,
    {{ comparable_text('province') }} as province,
    {{ comparable_text('city') }} as city,
    {{ comparable_text('county') }} as county,
    area_match as area
from {{ source('platform', 'risk_areas') }}
