-- What readers see of the current publication, and what the audit reads of the samples that changed since.
create schema if not exists reporting;
create schema if not exists restricted;

-- Publishing waits for statements that began before it. It learns how many there are, not whose they are or what they
-- say: the owner alone may read that.
create or replace function published.older_statements(since timestamptz) returns bigint
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    select count(*) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
    and coalesce(state, 'active') = 'active' and coalesce(query_start, since) <= since
$$;
comment on function published.older_statements is 'How many statements are at work in this database that began before a moment.';

-- Only where it is new or shows other columns: replacing a view waits for whoever reads it, and readers wait behind.
do $$
begin
    if (
        select array_agg(attname::text order by attnum) from pg_attribute
        where attrelid = to_regclass('reporting.publication') and attnum > 0 and not attisdropped
    ) is distinct from array[
            'publication_id', 'as_of_date', 'published_at', 'policy_edition', 'quality_status',
            'checks_run', 'checks_failed', 'input_files', 'input_rows', 'code_version',
            'release_reason', 'released_by', 'previous_publication_id'
    ]
    then
        create or replace view reporting.publication as
        select
            publication_id,
            as_of_date,
            published_at,
            policy_edition,
            quality_status,
            checks_run,
            checks_failed,
            input_files,
            input_rows,
            code_version,
            release_reason,
            released_by,
            previous_publication_id
        from published.publication
        where publication_id = (select current.publication_id from published.current)
        offset 0;

        comment on view reporting.publication is 'The current publication; one row.';
    end if;
end
$$;

-- What is noted without a file (samples written by hand, or all of them emptied) may be of any.
create or replace view quality.changed_sample_file as
with noted as (
    select file_id from staging.sample_change
    where change_id > (select coalesce(max(last_change_id), 0) from published.publication)
)
select file_id from noted where file_id is not null
union
select file_id from quality.landed_file
where feed = 'test_results' and exists (select from noted where noted.file_id is null)
union
select file_id from staging.test_results
where exists (select from noted where noted.file_id is null);
comment on view quality.changed_sample_file is
'The files of samples that wrote or lost rows since the last publication.';

-- A view, not a query of the suite: Great Expectations would read all rows of a query into memory to know its columns.
create or replace view quality.changed_test_results as
select samples.person_key, samples.result, samples.file_id, samples.line
from quality.changed_sample_file as file
cross join lateral (
    -- File by file, by its index: whoever asks for one row only (Great Expectations does) would have all read in turn.
    select person_key, result, file_id, line from staging.test_results where file_id = file.file_id offset 0
) as samples;
comment on view quality.changed_test_results is
'Samples of the files that wrote or lost rows since the last publication; the others were checked for it.';

create or replace view quality.sender_day as
select file.feed, part.sender, part.day, count(*) as files, sum(part.rows) as rows, sum(part.rows_new) as rows_new
from quality.file_part as part
inner join quality.landed_file as file on part.file_id = file.file_id
where file.status = 'staged'
group by file.feed, part.sender, part.day;
comment on view quality.sender_day is
'What came of each feed from each sender for each date of 更新时间: files, valid rows, and those of them that were new.';
