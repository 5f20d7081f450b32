-- What went to whom, and which public figures were signed off (article 31).
create schema if not exists delivery;
comment on schema delivery is 'What was sent to which official over which channel, and what became of it.';

create table if not exists published.public_release (
    decision_id bigint generated always as identity primary key,
    publication_id bigint not null references published.publication (publication_id),
    decision text not null check (decision in ('released', 'rejected', 'expired')),
    decided_by text,
    decided_at timestamptz not null default now(),
    reason text,
    run_key text not null unique,
    constraint somebody_decided check ((decision = 'expired') = (decided_by is null))
);
create index if not exists public_release_by_publication on published.public_release (publication_id);

comment on table published.public_release is 'Decisions about public figures (article 31), one row per sign-off; the last one of a publication holds.';
comment on column published.public_release.decision_id is 'Number of the decision, rising with time.';
comment on column published.public_release.publication_id is 'The publication whose public figures it is about.';
comment on column published.public_release.decision is 'released, rejected, or expired when nobody answered in time; expired changes nothing.';
comment on column published.public_release.decided_by is 'Login of the official who decided; empty when nobody did.';
comment on column published.public_release.decided_at is 'When it was decided.';
comment on column published.public_release.reason is 'What the official said; a rejection has its reason here.';
comment on column published.public_release.run_key is 'The run that asked, so that a repeated step decides once.';

create table if not exists delivery.attempt (
    attempt_id bigint generated always as identity primary key,
    publication_id bigint not null references published.publication (publication_id),
    what text not null check (what in ('pack', 'bulletin', 'request', 'reminder', 'expiry')),
    occasion text not null default '',
    official text not null,
    channel text not null check (channel in ('mail', 'wecom', 'dingtalk', 'folder')),
    number int not null,
    target text not null,
    audience_kind text not null,
    audience text not null,
    not_before timestamptz not null,
    state text not null check (
        state in (
            'planned', 'sending', 'sent', 'failed', 'bounced', 'uncertain', 'superseded', 'cancelled', 'shared'
        )
    ),
    will_retry boolean not null default false,
    tries int not null default 0,
    reference text,
    error text,
    planned_at timestamptz not null default now(),
    sending_at timestamptz,
    ended_at timestamptz,
    constraint once_per_official unique (publication_id, what, occasion, official, channel, number)
);
create unique index if not exists attempt_once_per_target
on delivery.attempt (publication_id, what, occasion, channel, target, audience_kind, audience)
where state not in ('shared', 'cancelled');
create index if not exists attempt_by_reference on delivery.attempt (reference) where reference is not null;
create index if not exists attempt_by_turn on delivery.attempt (channel, target, sending_at);

comment on table delivery.attempt is 'One row per publication, official and channel: what was to be sent, and what became of it.';
comment on column delivery.attempt.attempt_id is 'Number of the attempt.';
comment on column delivery.attempt.publication_id is 'The publication that is sent.';
comment on column delivery.attempt.what is 'pack, bulletin (public figures), or about their sign-off: request, reminder, expiry.';
comment on column delivery.attempt.occasion is 'The run that asks for a sign-off; empty for pack and bulletin, which go out once per publication.';
comment on column delivery.attempt.official is 'Login of the official.';
comment on column delivery.attempt.channel is 'mail, wecom, dingtalk or folder.';
comment on column delivery.attempt.number is '1 for the first channel of this kind in the official''s entry, 2 for the second, …';
comment on column delivery.attempt.target is 'Address, Airflow connection or path below the shared folder; no secret.';
comment on column delivery.attempt.audience_kind is 'office, department or community: whose pages they are.';
comment on column delivery.attempt.audience is 'Name of the department or community; empty for the office.';
comment on column delivery.attempt.not_before is 'Not sent before this moment.';
comment on column delivery.attempt.state is 'planned, sending, sent, failed, bounced (refused for this address), uncertain (interrupted while sending: it may have arrived), superseded (a newer publication came first), cancelled (the official no longer receives it), shared (another official''s attempt goes to the same place).';
comment on column delivery.attempt.will_retry is 'True when a failed attempt is made again by itself.';
comment on column delivery.attempt.tries is 'How often sending was begun.';
comment on column delivery.attempt.reference is 'Message-ID of the mail, or folder that was written.';
comment on column delivery.attempt.error is 'Why it was not sent, in Chinese; no address, no secret.';
comment on column delivery.attempt.planned_at is 'When it was planned.';
comment on column delivery.attempt.sending_at is 'When sending was begun last.';
comment on column delivery.attempt.ended_at is 'When it was sent, failed, bounced or was given up.';
