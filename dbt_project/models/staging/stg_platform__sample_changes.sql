-- Triggers log the changes of the test results here. A row with only a file means that rows of that file were written; a row
-- without a file means that everything must be read again; any other row is the old version of one that was replaced or
-- deleted.
select
    change_id,
    file_id,
    line,
    sample_key,
    person_key,
    sample_date
from {{ source('platform', 'sample_change') }}
