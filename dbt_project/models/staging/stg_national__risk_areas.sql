select
    listed_at,
    level,
    {{ comparable_text('province') }} as province,
    {{ comparable_text('city') }} as city,
    {{ comparable_text('county') }} as county,
    {{ comparable_text('area') }} as area
from {{ source('platform', 'risk_areas') }}
