-- These functions write and verify events, which are append-only (migrations/0003_audit.sql has the table).
create or replace function audit.hash_of(e audit.event) returns bytea
language sql stable as $$
    select sha256(convert_to(jsonb_build_array(
        e.event_id, extract(epoch from e.happened_at)::text, e.actor, e.action, e.object, e.reason, e.details,
        encode(e.previous_hash, 'hex')
    )::text, 'UTF8'))
$$;
comment on function audit.hash_of is 'What the hash of an event must be.';

-- Events are never deleted, so an object must not hold what somebody typed, such as a person's number or control characters
-- that a terminal would obey.
create or replace function audit.is_object(object text) returns boolean
language sql immutable as $$
    select object ~ '^[0-9a-f]{64}$' or (length(object) <= 200 and object !~ '[0-9]{11}' and object !~ '[[:cntrl:]]')
$$;
comment on function audit.is_object is 'Whether a text may stand as the object of an event: a person_key, or a short text without long numbers.';

-- A service may write only events of its own kinds, so that it cannot record another service's decision in a person's name.
create or replace function audit.may_write(service text, action text) returns boolean
language sql immutable as $$
    select case
        when action in (
            'access_grant', 'access_revoke', 'role_change', 'rotate_person_key', 'correct_document',
            'withdraw_correction', 'invite', 'backup', 'restore'
        ) then false
        when action in (
            'sign_in', 'sign_in_failed', 'sign_out', 'password_set', 'sessions_ended', 'release_decision',
            'sign_off_decision', 'correction_proposed', 'correction_confirmed', 'correction_returned',
            'notification_choice'
        ) then service = 'portal'
        when action in ('release', 'policy_change') then service = 'publisher'
        when action in (
            'sign_off', 'delivery', 'export', 'list_view', 'person_view', 'quarantine_view', 'delivery_preview',
            'trail_ddl'
        ) then service = 'reporter'
        else true
    end
$$;
comment on function audit.may_write is 'Whether a service may write an event of this kind; the owner and readers are asked elsewhere.';

create or replace function audit.record(
    actor text, action text, object text, reason text default null, details jsonb default '{}'
) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '5s' as $$
declare
    made audit.event;
    last audit.event;
    service text := case
        when session_user in ('loader', 'transformer', 'auditor', 'publisher', 'reporter', 'portal') then session_user
    end;
begin
    if service is not null and not audit.may_write(service, action) then
        raise exception 'the service % writes no event %', service, action using errcode = 'insufficient_privilege';
    end if;
    -- A reader that records why it looks at a person, and then leaves its transaction open, must not block the trail.
    loop
        begin
            perform pg_advisory_xact_lock(hashtext('yingjian.audit'));
            exit;
        exception when lock_not_available then
            perform access.end_readers('yingjian.audit');
        end;
    end loop;
    select * into last from audit.event order by event_id desc limit 1;
    made := row(
        coalesce(last.event_id, 0) + 1, clock_timestamp(), actor, action,
        case when audit.is_object(object) then object else 'not well-formed' end, reason,
        -- The actor is whom the service says it acts for; the service itself comes from the login.
        coalesce(details, '{}') - 'service' || case when service is null then '{}' else jsonb_build_object('service', service) end,
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

-- The triggers are created only if they are missing, because a recreated trigger looks like one that somebody changed.
do $$
begin
    if not exists (select from pg_trigger where tgrelid = 'audit.event'::regclass and tgname = 'event_is_append_only') then
        create trigger event_is_append_only before update or delete on audit.event
        for each row execute function audit.refuse();
    end if;
    if not exists (select from pg_trigger where tgrelid = 'audit.event'::regclass and tgname = 'event_is_not_emptied') then
        create trigger event_is_not_emptied before truncate on audit.event
        for each statement execute function audit.refuse();
    end if;
end
$$;
