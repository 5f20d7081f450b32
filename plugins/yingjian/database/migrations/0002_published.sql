-- Publications: one partition per publication and mart, and one row that says which is current.
-- Switching the current publication is one UPDATE, so readers neither wait nor see a half-built state.
create schema if not exists published;

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
