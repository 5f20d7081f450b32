-- Who looked at whom, released what and changed which right: append-only, each event bound to the one before.
create schema if not exists audit;

create table if not exists audit.event (
    event_id bigint primary key,
    happened_at timestamptz not null,
    actor text not null,
    action text not null,
    object text not null,
    reason text,
    details jsonb not null default '{}',
    previous_hash bytea not null,
    hash bytea not null
);

comment on table audit.event is 'One row per event that must leave a trace; never changed, never deleted.';
comment on column audit.event.event_id is 'Number of the event, from 1 without a gap.';
comment on column audit.event.happened_at is 'When it was recorded.';
comment on column audit.event.actor is 'Login of the person, or the service.';
comment on column audit.event.action is 'person_view, list_view, export, delivery, release, sign_off, …';
comment on column audit.event.object is 'What it was done to: a person_key, a publication, a file; never a name or a document number.';
comment on column audit.event.reason is 'Why, as the person said it.';
comment on column audit.event.details is 'What else is known of it; nothing personal.';
comment on column audit.event.previous_hash is 'The hash of the event before; 32 zero bytes for the first.';
comment on column audit.event.hash is 'SHA-256 over all other columns.';
