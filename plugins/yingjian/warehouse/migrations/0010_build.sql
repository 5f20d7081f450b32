-- One build at a time: who asked for the build schema, whose it is, and what became of it.
create schema if not exists publishing;

create table publishing.build (
    build_id bigint generated always as identity primary key,
    token uuid not null unique default gen_random_uuid(),
    run_key text not null unique,
    as_of_date date not null,
    asked_at timestamptz not null default clock_timestamp(),
    began_at timestamptz,
    ended_at timestamptz,
    state text not null default 'waiting' check (
        state in ('waiting', 'building', 'asking', 'published', 'failed', 'superseded')
    ),
    missing_feeds text[] not null default '{}'
);
create unique index one_build_at_a_time on publishing.build ((true)) where state in ('building', 'asking');

comment on table publishing.build is 'One row per run that asked for the build schema; at most one of them owns it.';
comment on column publishing.build.token is 'What the owner shows at every step; each mart carries the token that built it.';
comment on column publishing.build.run_key is 'The run: DAG, run id, or a process that builds by hand.';
comment on column publishing.build.as_of_date is 'Business date that it builds.';
comment on column publishing.build.began_at is 'When it became the owner; null while it waits.';
comment on column publishing.build.ended_at is 'When it gave the schema free; null before.';
comment on column publishing.build.state is 'waiting for its turn; building; asking a person whether to release it; published, failed or superseded by another run.';
comment on column publishing.build.missing_feeds is 'Required feeds that had not brought this day''s data when the build began.';

create table publishing.built_mart (
    mart text primary key,
    token uuid not null,
    as_of_date date not null,
    relation oid not null,
    built_at timestamptz not null default clock_timestamp()
);

comment on table publishing.built_mart is 'Which build made each mart that stands in the schema build now.';
comment on column publishing.built_mart.relation is 'The table as it was then: one that was exchanged afterwards has another number.';
