-- What went to whom, and which public figures were signed off (article 31).
create schema if not exists delivery;
create schema if not exists reporting_public;
comment on schema delivery is 'What was sent to which official over which channel, and what became of it.';
comment on schema reporting_public is 'What the public may read: figures of the newest publication that was signed off (article 31), small counts protected.';

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

create or replace view published.released as
select
    publication_id,
    as_of_date,
    decided_at
from (
    select distinct on (public_release.publication_id)
        public_release.publication_id,
        publication.as_of_date,
        public_release.decision,
        public_release.decided_at
    from published.public_release
    inner join published.publication on public_release.publication_id = publication.publication_id
    where public_release.decision in ('released', 'rejected')
    order by public_release.publication_id asc, public_release.decision_id desc
) as last_decision
where decision = 'released'
order by as_of_date desc, publication_id desc
limit 1;

comment on view published.released is 'At most one row: of the publications that are signed off, the newest one of the latest business date.';
comment on column published.released.publication_id is 'The publication that reporting_public shows.';
comment on column published.released.as_of_date is 'Its business date.';
comment on column published.released.decided_at is 'When it was signed off.';

-- Only where it is new or has no barrier: replacing a view waits for whoever reads it.
do $$
begin
    if not exists (
        select from pg_class
        where oid = to_regclass('reporting_public.publication') and 'security_barrier=true' = any (reloptions)
    )
    then
        create or replace view reporting_public.publication with (security_barrier = true) as
        select
            publication.publication_id,
            publication.as_of_date,
            publication.published_at,
            publication.policy_edition,
            released.decided_at as released_at
        from published.publication
        inner join published.released on publication.publication_id = released.publication_id
        offset 0;
    end if;
end
$$;

comment on view reporting_public.publication is 'The publication whose figures the public reads; at most one row.';
comment on column reporting_public.publication.publication_id is 'Number of the publication, rising with time.';
comment on column reporting_public.publication.as_of_date is 'Business date D: the state at 24:00 of that day, Asia/Shanghai.';
comment on column reporting_public.publication.published_at is 'When the publication became the current one.';
comment on column reporting_public.publication.policy_edition is 'Edition of the policy in force on D.';
comment on column reporting_public.publication.released_at is 'When its public figures were signed off.';

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
