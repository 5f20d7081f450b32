-- The laboratory writes who was sampled. Only restricted.person is made from this view, and what a corrected document repeats.
select
    person_key,
    id_type,
    id_number,
    person_name as name,
    phone,
    updated_at,
    file_id,
    line
from {{ source('platform', 'test_results') }}
