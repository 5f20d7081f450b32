select
    sample_key,
    person_key,
    sampled_at,
    sampled_at::date as sample_date,
    sampling_point,
    sampling_method = '单采' as is_single,
    nullif(tube_no, '') as tube_no,
    laboratory,
    tested_at,
    result,
    updated_at,
    file_id,
    line
from {{ source('platform', 'test_results') }}
