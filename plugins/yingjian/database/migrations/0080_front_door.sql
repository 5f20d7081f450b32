-- Officials sign in to the portal with an account of its own, and decide there. A question is a row; so is its answer.
create schema portal;

create table portal.account (
    login text primary key,
    password_hash text,
    is_first boolean not null,
    first_until timestamptz,
    changed_at timestamptz not null default clock_timestamp(),
    constraint account_first check (is_first = (first_until is not null))
);
comment on table portal.account is 'One row per login that was invited to the portal.';
comment on column portal.account.login is 'The login in officials.yml.';
comment on column portal.account.password_hash is 'Argon2 hash of the password; null when a first password was used up.';
comment on column portal.account.is_first is 'True while the password is a first one, which signs in once.';
comment on column portal.account.first_until is 'Until when a first password signs in.';
comment on column portal.account.changed_at is 'When the password was made or changed.';

create table portal.attempt (
    login_hash bytea primary key,
    failures integer not null,
    blocked_until timestamptz,
    last_at timestamptz not null default clock_timestamp()
);
comment on table portal.attempt is 'One row per login that failed to sign in since it last succeeded.';
comment on column portal.attempt.login_hash is 'SHA-256 of what was typed as login, since people type other things there.';
comment on column portal.attempt.failures is 'Failures in a row.';
comment on column portal.attempt.blocked_until is 'Until when no password is tried; null for now.';
comment on column portal.attempt.last_at is 'When the last attempt began.';

create table portal.session (
    token_hash bytea primary key,
    login text not null,
    sets_password boolean not null,
    opened_at timestamptz not null default clock_timestamp(),
    seen_at timestamptz not null default clock_timestamp(),
    ends_at timestamptz not null
);
create index session_login on portal.session (login);
comment on table portal.session is 'One row per open session of the portal.';
comment on column portal.session.token_hash is 'SHA-256 of the token in the browser''s cookie.';
comment on column portal.session.login is 'Whose session it is.';
comment on column portal.session.sets_password is 'True when it began with a first password: it may only set an own one.';
comment on column portal.session.opened_at is 'When it was opened.';
comment on column portal.session.seen_at is 'When its last request came, to the minute.';
comment on column portal.session.ends_at is 'When it ends at the latest.';

create table publishing.question (
    question_id bigint generated always as identity primary key,
    needed_right text not null,
    run_id text not null,
    as_of_date date not null,
    build_token uuid,
    publication_id bigint,
    asked_at timestamptz not null,
    ends_at timestamptz not null,
    closed_at timestamptz,
    closed_because text,
    constraint question_right check (needed_right in ('release', 'sign_off')),
    constraint question_subject check (
        (build_token is not null) = (needed_right = 'release') and (publication_id is not null) = (needed_right = 'sign_off')
    ),
    constraint question_closed check (
        (closed_at is null) = (closed_because is null) and closed_because in ('superseded', 'expired', 'asked_again')
    )
);
create index question_run on publishing.question (run_id);
comment on table publishing.question is 'One row per question that a run puts to those who have a right.';
comment on column publishing.question.question_id is 'Number of the question, rising with time; the portal''s address of it.';
comment on column publishing.question.needed_right is 'The right of those who may answer, as officials.yml gives it.';
comment on column publishing.question.run_id is 'Airflow''s run that asks and waits.';
comment on column publishing.question.as_of_date is 'The business date that is asked about.';
comment on column publishing.question.build_token is 'The build that is asked about, for a release.';
comment on column publishing.question.publication_id is 'The publication that is asked about, for a sign-off.';
comment on column publishing.question.asked_at is 'When it was asked.';
comment on column publishing.question.ends_at is 'Until when it may be answered.';
comment on column publishing.question.closed_at is 'When it ended without an answer; null for one that is open or answered.';
comment on column publishing.question.closed_because is 'superseded, expired or asked_again.';

alter table publishing.decision
add column question_id bigint references publishing.question,
add column publication_id bigint,
alter column build_token drop not null,
add constraint decision_answers_once unique (question_id),
add constraint decision_subject check (num_nonnulls(build_token, publication_id) = 1);
comment on table publishing.decision is 'One row per answer to a question, to release a build or to sign public figures off; never changed, never deleted.';
comment on column publishing.decision.question_id is 'The question that it answers; null for decisions that were taken in Airflow.';
comment on column publishing.decision.build_token is 'The build that was asked about (publishing.build.token), for a release.';
comment on column publishing.decision.publication_id is 'The publication that was asked about, for a sign-off.';
comment on column publishing.decision.is_released is 'True to publish or to release, false to leave what readers have.';
comment on column publishing.decision.reason is 'Why, as the person said it.';
