select
    vaccination_key,
    person_key,
    dose::int as dose,
    vaccine,
    vaccinated_date,
    updated_at,
    file_id,
    line
from {{ source('platform', 'vaccinations') }}
