-- An official corrects a refused row for its sender; a second official confirms it before landing gets it.
create table portal.correction (
    correction_id bigint generated always as identity primary key,
    rejected_id bigint not null,
    feed text not null,
    sender text not null,
    content bytea not null,
    reason text not null check (reason ~ '\S'),
    login text not null,
    name text not null,
    proposed_at timestamptz not null default clock_timestamp()
);
create index correction_of on portal.correction (rejected_id);
comment on table portal.correction is 'One row per correction that an official proposed; never changed, deleted by retention with what the rejected row says.';
comment on column portal.correction.correction_id is 'Number of the proposal.';
comment on column portal.correction.rejected_id is 'The rejected row (quality.rejected_row).';
comment on column portal.correction.feed is 'The feed of the rejected row; the database takes it from there.';
comment on column portal.correction.sender is 'The sender of the rejected row; the database takes it from there.';
comment on column portal.correction.content is 'The corrected row with its header, as landing would get it: personal data.';
comment on column portal.correction.reason is 'Why, in words; may name a person.';
comment on column portal.correction.login is 'Who proposed it, by the login of officials.yml.';
comment on column portal.correction.name is 'Who proposed it, by the name that officials.yml had then.';
comment on column portal.correction.proposed_at is 'When it was proposed.';

create table portal.correction_answer (
    correction_id bigint primary key references portal.correction on delete cascade,
    is_agreed boolean not null,
    reason text not null default '',
    login text not null,
    name text not null,
    answered_at timestamptz not null default clock_timestamp(),
    constraint return_has_a_reason check (is_agreed or reason ~ '\S')
);
comment on table portal.correction_answer is 'The answer of a second official to a proposed correction; never the proposer, never changed.';
comment on column portal.correction_answer.correction_id is 'The proposal.';
comment on column portal.correction_answer.is_agreed is 'True: the corrected row went to landing. False: it was returned to the proposer.';
comment on column portal.correction_answer.reason is 'Why it was returned, in words; may name a person.';
comment on column portal.correction_answer.login is 'Who answered, by the login of officials.yml.';
comment on column portal.correction_answer.name is 'Who answered, by the name that officials.yml had then.';
comment on column portal.correction_answer.answered_at is 'When it was answered.';

alter table portal.sending add column correction_id bigint unique;
comment on column portal.sending.correction_id is 'The correction of an official (portal.correction) that this file is; null for what the sender sent.';
