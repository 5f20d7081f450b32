-- Triggers write here what changed in the test results. A row with only a file says that rows of that file were written; a
-- row without a file, that all must be read again; any other row is the old form of one that was replaced or deleted.
select
    change_id,
    file_id,
    line,
    sample_key,
    person_key,
    sample_date
from {{ source('platform', 'sample_change') }}
