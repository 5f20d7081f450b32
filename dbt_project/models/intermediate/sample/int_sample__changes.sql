-- One row per sample that was added, replaced or deleted since the last build: its new version if `came` is true, otherwise its
-- old one.
with bounds as (select * from {{ ref('int_sample__bounds') }}),

changes as (
    select changes.* from {{ ref('stg_platform__sample_changes') }} as changes
    inner join bounds
        on changes.change_id > bounds.since_change_id and changes.change_id <= bounds.through_change_id
),

files as (
    select distinct file_id from changes
    where sample_key is null and file_id is not null
)

select
    samples.sample_key,
    samples.person_key,
    samples.sample_date,
    samples.file_id,
    samples.line,
    true as came
from {{ ref('stg_platform__test_results') }} as samples
where samples.file_id = any(array(select file_id from files))
union all
select
    sample_key,
    person_key,
    sample_date,
    file_id,
    line,
    false as came
from changes
where sample_key is not null
