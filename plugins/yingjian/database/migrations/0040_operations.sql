-- What the data team was told, and which backups were made.
create schema if not exists operations;
comment on schema operations is 'What the pipeline remembers of its own work; no row of it names a person.';

create table operations.notice (
    notice_id bigint generated always as identity primary key,
    key text not null,
    about text not null,
    subject text not null,
    facts jsonb not null,
    runbook text not null,
    link text not null,
    first_seen_at timestamptz not null,
    last_seen_at timestamptz not null,
    last_told_at timestamptz,
    times_told int not null default 0,
    ended_at timestamptz,
    end_told_at timestamptz
);
create unique index notice_that_lasts on operations.notice (key) where ended_at is null;
create index notice_to_tell on operations.notice (notice_id) where end_told_at is null or last_told_at is null;

comment on table operations.notice is 'One row per failure or state that the data team was told of, or is to be.';
comment on column operations.notice.key is 'What it is about: one row per key lasts at a time.';
comment on column operations.notice.about is 'Who saw it: a look of the watch, failure, or event.';
comment on column operations.notice.subject is 'What is told, in one line.';
comment on column operations.notice.facts is 'Pairs of label and value that are told with it.';
comment on column operations.notice.runbook is 'Page of docs/runbooks that says what to do.';
comment on column operations.notice.link is 'Where to look at it; empty when there is no such place.';
comment on column operations.notice.first_seen_at is 'When it was first seen.';
comment on column operations.notice.last_seen_at is 'When it was last seen.';
comment on column operations.notice.last_told_at is 'When it was last told; empty when no channel has taken it yet.';
comment on column operations.notice.times_told is 'How often it was told while it lasted.';
comment on column operations.notice.ended_at is 'When it was over; of an event, when it happened.';
comment on column operations.notice.end_told_at is 'When its end was told; of an event, when it happened, since it has none.';

create table operations.backup (
    backup_id bigint generated always as identity primary key,
    made_at timestamptz not null default clock_timestamp(),
    size_bytes bigint not null
);
comment on table operations.backup is 'One row per backup file that was written to its end.';
comment on column operations.backup.made_at is 'When it was whole.';
comment on column operations.backup.size_bytes is 'Size of the file.';
