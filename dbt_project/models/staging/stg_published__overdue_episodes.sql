select
    publication_id,
    as_of_date,
    obligation_id,
    group_code,
    unit_key,
    department,
    community,
    grid,
    from_date,
    to_date,
    cured_by
from {{ source('published', 'overdue_episode') }}
