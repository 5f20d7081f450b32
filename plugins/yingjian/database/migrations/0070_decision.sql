-- A person decides about a build whose audit failed. The row counts for the models that were checked, and for no later build of
-- the same run.
create table publishing.decision (
    decision_id bigint generated always as identity primary key,
    build_token uuid not null,
    decided_by text not null,
    name text not null,
    is_released boolean not null,
    reason text,
    answered_at timestamptz not null,
    recorded_at timestamptz not null default clock_timestamp(),
    constraint decision_once unique (build_token, decided_by, answered_at)
);

comment on table publishing.decision is 'One row per answer to the question whether a build that failed its audit is published; never changed, never deleted.';
comment on column publishing.decision.decision_id is 'Number of the decision, rising with time; the last one about a build counts.';
comment on column publishing.decision.build_token is 'The build that was asked about (publishing.build.token).';
comment on column publishing.decision.decided_by is 'Login of the person.';
comment on column publishing.decision.name is 'Name of the person, as the report shows it.';
comment on column publishing.decision.is_released is 'True to publish the build all the same, false to leave the last publication.';
comment on column publishing.decision.reason is 'Why, as the person said it; a release needs one.';
comment on column publishing.decision.answered_at is 'When the person answered.';
comment on column publishing.decision.recorded_at is 'When it was put on record.';
