-- One build at a time: who asked for the schema `build`, whose it is, and what became of it.
create schema if not exists publishing;

create table publishing.build (
    build_id bigint generated always as identity primary key,
    run_id text not null,
    run_key text not null unique,
    token uuid not null unique default gen_random_uuid(),
    as_of_date date not null,
    state text not null default 'waiting' check (
        state in ('waiting', 'building', 'asking', 'published', 'failed', 'superseded')
    ),
    asked_at timestamptz not null default clock_timestamp(),
    seen_at timestamptz not null default clock_timestamp(),
    began_at timestamptz,
    ended_at timestamptz,
    last_file_id bigint,
    missing_feeds text[] not null default '{}'
);
create unique index one_build_at_a_time on publishing.build ((true)) where state in ('building', 'asking');
create index build_of_run on publishing.build (run_id);

comment on table publishing.build is 'One row per time that a run asked for the schema build; at most one of them owns it.';
comment on column publishing.build.build_id is 'Number of the claim, rising with time.';
comment on column publishing.build.run_id is 'The run of the DAG daily, or hand:… for a process that builds by hand.';
comment on column publishing.build.run_key is 'The run_id; from the second claim of a run on, with #2, #3, …; the key of its publication.';
comment on column publishing.build.token is 'What the owner shows at every step, renewed whenever its models are built; marts and findings carry it.';
comment on column publishing.build.as_of_date is 'Business date that it builds.';
comment on column publishing.build.state is 'waiting for its turn; building; asking a person whether to release it; published, failed, or superseded by a later run.';
comment on column publishing.build.asked_at is 'When it was asked for.';
comment on column publishing.build.seen_at is 'When the run that waits looked last; one that is not seen any more is not waited for.';
comment on column publishing.build.began_at is 'When it became the owner; null while it waits.';
comment on column publishing.build.ended_at is 'When it gave the schema free; null before.';
comment on column publishing.build.last_file_id is 'The newest file in staging when its models were begun; a later one is late for it.';
comment on column publishing.build.missing_feeds is 'Required feeds that had not brought this day''s data when it began.';

create table publishing.built_mart (
    mart text primary key,
    token uuid not null,
    as_of_date date not null,
    relation oid not null,
    built_at timestamptz not null default clock_timestamp()
);

comment on table publishing.built_mart is 'Which build made each mart that stands in the schema build now.';
comment on column publishing.built_mart.mart is 'Name of the mart.';
comment on column publishing.built_mart.token is 'Token of the build that made it.';
comment on column publishing.built_mart.as_of_date is 'Business date for which it was made.';
comment on column publishing.built_mart.relation is 'The table as it was then: one that was exchanged afterwards has another number.';
comment on column publishing.built_mart.built_at is 'When it was made.';

alter table quality.check_result add column build_token uuid;
comment on column quality.check_result.build_token is 'The build that was checked (publishing.build.token); null before there were tokens.';

alter table published.publication
add column if not exists missing_feeds text[] not null default '{}',
add column if not exists last_file_id bigint,
add column if not exists is_correction boolean not null default false;
comment on column published.publication.missing_feeds is 'Required feeds that had not brought this day''s data when it was built.';
comment on column published.publication.last_file_id is 'The newest file that may be in it; a required feed''s later file makes the day again.';
comment on column published.publication.is_correction is 'True when the day had been published before (更正版).';
