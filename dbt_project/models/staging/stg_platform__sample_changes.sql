-- What came into the test results and what went: a row with a file only says that rows of it were written, a row without
-- one that all were emptied, any other is the old form of a row that was replaced or deleted.
select
    change_id,
    file_id,
    line,
    sample_key,
    person_key,
    sample_date
from {{ source('platform', 'sample_change') }}
