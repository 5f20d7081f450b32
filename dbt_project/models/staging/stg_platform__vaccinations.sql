select
    {{ record_key('vaccination_key') }} as vaccination_key,
    person_key,
    dose::int as dose,
    vaccine,
    vaccinated_date,
    nullif(exclusion, '') as exclusion,
    updated_at,
    file_id,
    line
from {{ source('platform', 'vaccinations') }}
