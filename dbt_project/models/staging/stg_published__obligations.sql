select
    publication_id,
    obligation_id,
    membership_id,
    person_key,
    group_code,
    slot,
    due_date,
    status,
    satisfied_on,
    last_sample_date
from {{ source('published', 'obligation') }}
