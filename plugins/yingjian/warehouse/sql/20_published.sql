-- Publications: one partition per publication and mart, and one row that says which is current.
-- Switching the current publication is one UPDATE, so readers neither wait nor see a half-built state.
create schema if not exists published;
create schema if not exists reporting;
create schema if not exists restricted;

create table if not exists published.publication (
    publication_id bigint primary key,
    as_of_date date not null,
    published_at timestamptz not null default now(),
    policy_edition text not null,
    quality_status text not null check (quality_status in ('passed', 'released_by_hand')),
    checks_run int not null,
    checks_failed int not null,
    input_files bigint not null,
    input_rows bigint not null,
    code_version text not null,
    release_reason text,
    released_by text,
    previous_publication_id bigint,
    run_key text not null unique
);

do $$
begin
    if not exists (
        select from pg_attribute where attrelid = 'published.publication'::regclass and attname = 'last_check_id'
    ) then
        alter table published.publication add column last_check_id bigint;
    end if;
    if not exists (
        select from pg_attribute where attrelid = 'published.publication'::regclass and attname = 'last_change_id'
    ) then
        alter table published.publication add column last_change_id bigint;
    end if;
end
$$;

comment on column published.publication.last_check_id is 'The last finding of the audit when it was published (quality.check_result).';
comment on column published.publication.last_change_id is 'The last change of the samples that is in it (staging.sample_change).';
comment on table published.publication is 'Every publication there ever was; one row per publication.';
comment on column published.publication.publication_id is 'Number of the publication, rising with time.';
comment on column published.publication.as_of_date is 'Business date D: the state at 24:00 of that day, Asia/Shanghai.';
comment on column published.publication.published_at is 'When the publication became the current one.';
comment on column published.publication.policy_edition is 'Edition of the policy in force on D (policy.policy_edition).';
comment on column published.publication.quality_status is 'passed, or released_by_hand when a person released it although a critical check failed.';
comment on column published.publication.checks_run is 'Number of quality checks that were run before publishing.';
comment on column published.publication.checks_failed is 'Number of those that failed, warnings included.';
comment on column published.publication.input_files is 'Number of files staged up to the run.';
comment on column published.publication.input_rows is 'Number of rows read from those files.';
comment on column published.publication.code_version is 'Version of the code that computed it.';
comment on column published.publication.release_reason is 'Why it was released by hand; empty when the checks passed.';
comment on column published.publication.released_by is 'Who released it by hand; empty when the checks passed.';
comment on column published.publication.previous_publication_id is 'The publication that was current before.';
comment on column published.publication.run_key is 'Identifies the run, so that a repeated publish step publishes once.';

create table if not exists published.staged (
    publication_id bigint generated always as identity primary key,
    run_key text not null
);

comment on table published.staged is 'The publication that a run is about to make current; empty between runs.';
comment on column published.staged.publication_id is 'Number of the publication, rising with time.';
comment on column published.staged.run_key is 'The run that is publishing it.';

create table if not exists published.current (
    is_only_row boolean primary key default true check (is_only_row),
    publication_id bigint not null references published.publication (publication_id)
);

comment on table published.current is 'One row: the publication that reporting shows.';
comment on column published.current.is_only_row is 'Always true: keeps the table at one row.';
comment on column published.current.publication_id is 'The publication that reporting shows.';

create table if not exists published.policy_state (
    publication_id bigint not null references published.publication (publication_id),
    table_name text not null,
    digest text not null,
    primary key (publication_id, table_name)
);

comment on table published.policy_state is 'What the policy was when a publication was computed: one row per publication and table of schema policy.';
comment on column published.policy_state.publication_id is 'Number of the publication.';
comment on column published.policy_state.table_name is 'Table of schema policy.';
comment on column published.policy_state.digest is 'SHA-256 over its rows.';

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
