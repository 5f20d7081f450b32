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

create or replace function audit.hash_of(e audit.event) returns bytea
language sql stable as $$
    select sha256(convert_to(jsonb_build_array(
        e.event_id, extract(epoch from e.happened_at)::text, e.actor, e.action, e.object, e.reason, e.details,
        encode(e.previous_hash, 'hex')
    )::text, 'UTF8'))
$$;
comment on function audit.hash_of is 'What the hash of an event must be.';

create or replace function audit.record(
    actor text, action text, object text, reason text default null, details jsonb default '{}'
) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    made audit.event;
    last audit.event;
begin
    perform pg_advisory_xact_lock(hashtext('yingjian.audit'));
    select * into last from audit.event order by event_id desc limit 1;
    made := row(
        coalesce(last.event_id, 0) + 1, clock_timestamp(), actor, action, object, reason, coalesce(details, '{}'),
        coalesce(last.hash, decode(repeat('00', 32), 'hex')), ''::bytea
    );
    made.hash := audit.hash_of(made);
    insert into audit.event select made.*;
    return made.event_id;
end
$$;
comment on function audit.record is 'Append an event; the only way to write one.';

create or replace function audit.refuse() returns trigger
language plpgsql as $$
begin
    raise exception 'audit.event is append-only' using errcode = 'insufficient_privilege';
end
$$;
comment on function audit.refuse is 'Trigger: events are not changed.';

create or replace trigger event_is_append_only before update or delete on audit.event
for each row execute function audit.refuse();
create or replace trigger event_is_not_emptied before truncate on audit.event
for each statement execute function audit.refuse();
