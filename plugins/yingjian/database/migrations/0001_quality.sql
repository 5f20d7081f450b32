-- What landing recorded of each file and of each row that it could not take, and what the audit found.
create schema if not exists quality;

-- Homes that are older than this file may have these tables already, without what was added to them since.
do $$
begin
    if to_regclass('quality.landed_file') is not null and not exists (
        select from pg_attribute where attrelid = to_regclass('quality.landed_file') and attname = 'is_to_retry'
    ) then
        alter table quality.landed_file
        add column is_to_retry boolean not null default false,
        drop constraint landed_file_status_check,
        add constraint landed_file_status_check
        check (status in ('staged', 'duplicate', 'rejected', 'unknown_feed', 'unpacked'));
        alter table quality.rejected_row add column sender text;
    end if;
    if to_regclass('quality.landed_file') is not null and not exists (
        select from pg_attribute where attrelid = to_regclass('quality.landed_file') and attname = 'rows_deleted'
    ) then
        alter table quality.landed_file add column rows_deleted bigint not null default 0;
    end if;
end
$$;

create table if not exists quality.landed_file (
    file_id bigint generated always as identity primary key,
    feed text not null,
    file_name text not null,
    location text not null,
    modified_at timestamptz not null,
    size_bytes bigint not null,
    sha256 text,
    received_at timestamptz not null default now(),
    encoding text,
    status text not null check (status in ('staged', 'duplicate', 'rejected', 'unknown_feed', 'unpacked')),
    is_to_retry boolean not null default false,
    reason text,
    extra_columns text[] not null default '{}',
    newest_update timestamp,
    rows_read bigint not null default 0,
    rows_staged bigint not null default 0,
    rows_rejected bigint not null default 0,
    rows_superseded bigint not null default 0,
    rows_repaired bigint not null default 0,
    rows_deleted bigint not null default 0,
    constraint row_balance check (rows_read = rows_staged + rows_rejected + rows_superseded)
);
create unique index if not exists landed_file_once on quality.landed_file (feed, sha256) where status = 'staged';
-- By hash: a location may be longer than any other index takes.
create index if not exists landed_file_at_location on quality.landed_file using hash (location);
drop index if exists quality.landed_file_by_location;

comment on table quality.landed_file is 'One row per file that landing met; the file itself is kept where it is.';
comment on column quality.landed_file.location is 'Where the file was found.';
comment on column quality.landed_file.modified_at is 'Modification time of the file where it was found.';
comment on column quality.landed_file.sha256 is 'SHA-256 of its bytes; the same bytes are loaded once per feed.';
comment on column quality.landed_file.received_at is 'When landing recorded the file.';
comment on column quality.landed_file.status is 'staged, duplicate (same bytes as a staged file), rejected (whole), unknown_feed, unpacked (an archive; its members have rows of their own).';
comment on column quality.landed_file.is_to_retry is 'A decision or a person asked for it to be read again at the next landing.';
comment on column quality.landed_file.reason is 'Why it was not staged, in Chinese; names no person.';
comment on column quality.landed_file.extra_columns is 'Columns that the feed does not know; kept in the file only.';
comment on column quality.landed_file.newest_update is 'Latest 更新时间 among its valid rows, Asia/Shanghai.';
comment on column quality.landed_file.rows_read is 'Rows read = staged + rejected + superseded.';
comment on column quality.landed_file.rows_staged is 'Rows of this file that are the newest version of their record now.';
comment on column quality.landed_file.rows_superseded is 'Rows that a newer version of their record replaced, in this file or a later one.';
comment on column quality.landed_file.rows_repaired is 'Rows in which something was repaired on reading.';
comment on column quality.landed_file.rows_deleted is 'Rows staged that were deleted when their days were over (quality.deletion).';

create table if not exists quality.rejected_row (
    rejected_id bigint generated always as identity primary key,
    file_id bigint not null references quality.landed_file (file_id),
    feed text not null,
    file_name text not null,
    line int not null,
    record_key text,
    reason_codes text[] not null check (cardinality(reason_codes) > 0),
    reason text not null,
    raw_text text not null,
    sender text,
    rejected_at timestamptz not null default now(),
    resolved_at timestamptz,
    resolution text
);
create index if not exists rejected_row_open on quality.rejected_row using hash (record_key) where resolved_at is null;
create index if not exists rejected_row_by_file on quality.rejected_row (file_id);

comment on table quality.rejected_row is 'Quarantine: rows that could not be taken, until someone resolves them. Personal data.';
comment on column quality.rejected_row.record_key is 'The record key as it was sent; empty when it was missing.';
comment on column quality.rejected_row.reason_codes is 'All reason codes that apply.';
comment on column quality.rejected_row.reason is 'File, line, column and reason in Chinese, without the value.';
comment on column quality.rejected_row.raw_text is 'The row as it was sent.';

comment on column quality.rejected_row.sender is 'Who answers for the row: laboratory, pharmacy, department or community, as sent.';
comment on column quality.rejected_row.resolved_at is 'When a corrected record came in, or a person said what became of the row.';
comment on column quality.rejected_row.resolution is 'Which file corrected it, or what the person said.';

create table if not exists quality.layout_decision (
    decision_id bigint generated always as identity primary key,
    feed text not null,
    kind text not null check (kind in ('rename', 'absent', 'meaning')),
    header text,
    source_column text not null,
    reason text not null,
    decided_by text not null,
    decided_at timestamptz not null default now()
);

comment on table quality.layout_decision is 'Changes of a feed''s layout that a person accepted (yingjian landing accept).';
comment on column quality.layout_decision.kind is 'rename: header is a name of the column; absent: files may lack the column; meaning: odd values are judged row by row.';
comment on column quality.layout_decision.header is 'The header text as the files have it now.';
comment on column quality.layout_decision.source_column is 'The column of the feed, as the specification names it.';

create table if not exists quality.check_result (
    check_id bigint generated always as identity primary key,
    as_of_date date not null,
    checked_at timestamptz not null default now(),
    suite text not null,
    check_name text not null,
    table_name text not null,
    severity text not null check (severity in ('fail', 'warn')),
    success boolean not null,
    failing_rows bigint,
    message text
);

comment on table quality.check_result is 'What the audit found, one row per check and run.';

create table if not exists quality.deletion (
    deletion_id bigint generated always as identity primary key,
    deleted_at timestamptz not null default now(),
    what text not null,
    before_date date not null,
    rows_deleted bigint not null,
    rows_kept bigint not null
);

comment on table quality.deletion is 'What was deleted because its days were over: one row per place and run that deleted something.';
comment on column quality.deletion.what is 'A feed, rejected_row, packs, pulled (rule of that name in policy.retention_rule), or a table of published (rule published_persons).';
comment on column quality.deletion.before_date is 'What was over before this day went: the date of the run less the days of the rule.';
comment on column quality.deletion.rows_deleted is 'Rows that went; of rejected_row, rows that were emptied; of packs and pulled, folders and files.';
comment on column quality.deletion.rows_kept is 'Rows as old that stayed, since something of the person still stands or needs them as proof.';
