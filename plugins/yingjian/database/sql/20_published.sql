-- These views show readers the current publication, and show the audit the samples that changed since.
create schema if not exists reporting;
create schema if not exists restricted;

-- Publishing waits for statements that began before it, and this function counts them. It runs with the owner's rights, because
-- only the owner may see other roles' statements.
create or replace function published.older_statements(since timestamptz) returns bigint
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    select count(*) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
    and coalesce(state, 'active') = 'active' and coalesce(query_start, since) <= since
$$;
comment on function published.older_statements is 'How many statements are at work in this database that began before a moment.';

-- The view is replaced only if it is new or its columns changed, because a replacement waits for every reader and blocks new
-- ones.
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

-- Every published business date has a row: its newest publication.
do $$
begin
    if (
        select array_agg(attname::text order by attnum) from pg_attribute
        where attrelid = to_regclass('reporting.publication_history') and attnum > 0 and not attisdropped
    ) is distinct from array[
            'publication_id', 'as_of_date', 'published_at', 'policy_edition', 'quality_status',
            'checks_run', 'checks_failed', 'input_files', 'input_rows', 'code_version',
            'release_reason', 'released_by', 'previous_publication_id', 'is_correction', 'is_current',
            'first_published_at'
    ]
    then
        create or replace view reporting.publication_history as
        select distinct on (as_of_date)
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
            previous_publication_id,
            is_correction,
            publication_id = (select current.publication_id from published.current) as is_current,
            -- A later correction must not make the day look late.
            min(published_at) over (partition by as_of_date) as first_published_at
        from published.publication
        order by as_of_date, publication_id desc
        offset 0;

        comment on view reporting.publication_history is
        'The newest publication of every published business date; one row per date.';
    end if;
end
$$;

-- Column comments have the title and the description, as in every mart.
do $$
declare
    item record;
begin
    for item in
        select shown.relation, titles.name, titles.title || ': ' || col_description(stored.attrelid, stored.attnum) as comment
        from (values
            ('publication_id', '发布编号'), ('as_of_date', '业务日期'), ('published_at', '发布时间'), ('policy_edition', '方案版本'),
            ('quality_status', '质量状态'), ('checks_run', '检查项数'), ('checks_failed', '未通过检查'), ('input_files', '输入文件'),
            ('input_rows', '输入行'), ('code_version', '程序版本'), ('release_reason', '放行理由'), ('released_by', '放行人'),
            ('previous_publication_id', '前一发布编号'), ('is_correction', '是否更正版')
        ) as titles (name, title)
        inner join pg_attribute as stored on stored.attrelid = 'published.publication'::regclass and stored.attname = titles.name
        cross join (values ('reporting.publication'::regclass), ('reporting.publication_history'::regclass)) as shown (relation)
        inner join pg_attribute as columns on columns.attrelid = shown.relation and columns.attname = titles.name
        where col_description(columns.attrelid, columns.attnum) is distinct from
            titles.title || ': ' || col_description(stored.attrelid, stored.attnum)
        union all
        select columns.attrelid, texts.name, texts.comment
        from (values
            ('is_current', '是否当前: True for the publication that reporting shows.'),
            ('first_published_at', '首次发布时间: When the business date was published first, before any correction.')
        ) as texts (name, comment)
        inner join pg_attribute as columns
            on columns.attrelid = 'reporting.publication_history'::regclass and columns.attname = texts.name
        where col_description(columns.attrelid, columns.attnum) is null
    loop
        execute format('comment on column %s.%I is %L', item.relation, item.name, item.comment);
    end loop;
end
$$;

-- A change without a file_id (samples written by hand, or a truncated table) may concern the samples of any file.
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

-- This is a view because Great Expectations would read all rows of a query into memory to learn its columns.
create or replace view quality.changed_test_results as
select samples.person_key, samples.result, samples.file_id, samples.line
from quality.changed_sample_file as file
cross join lateral (
    -- The offset makes PostgreSQL read file by file, by an index. Without it a request for one row (as Great
    -- Expectations makes it) would read all samples.
    select person_key, result, file_id, line from staging.test_results where file_id = file.file_id offset 0
) as samples;
comment on view quality.changed_test_results is
'Samples of the files that wrote or lost rows since the last publication; the others were checked for it.';
