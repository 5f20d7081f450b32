-- One row per test result has the person's identity as the laboratory wrote it. Only restricted.person, and the search for
-- samples that a corrected document repeats, are built from it.
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
