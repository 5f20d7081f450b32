-- These functions decide which rows a reader sees, and for which persons it has recorded a reason to look. The row-level
-- security policies of published.* call them, once per query. They are in plpgsql because it caches the plan of their query for
-- the session.
insert into access.reader (login, kind, granted_by)
values (current_user, 'owner', 'migration'), ('bi_reader', 'office', 'migration')
on conflict do nothing;

-- A login reads the parts that access.reader gives it; session_user is the login itself, which set role does not change. The
-- reporter reads for others, so its transaction carries the audience. Any session can set that variable, so it counts only
-- while the acting role is the reporter, which no reader may become.
create or replace function access.carried_audience() returns text
language sql stable parallel restricted as $$
    select case
        when 'reporter' = case current_setting('role') when 'none' then session_user else current_setting('role') end
        then coalesce(current_setting('yingjian.audience', true), '')
    end
$$;
comment on function access.carried_audience is 'The audience for which the reporter reads, as kind:name, empty where its transaction carries none; null for every other login.';

create or replace function access.is_reader() returns boolean
language plpgsql stable parallel restricted security definer set search_path = pg_catalog, pg_temp as $$
begin
    if access.carried_audience() is not null then
        return true;
    end if;
    return exists (select from access.reader where login = session_user);
end
$$;
comment on function access.is_reader is 'Whether the rows that are the same for everyone in the town are read.';

create or replace function access.sees_office() returns boolean
language plpgsql stable parallel restricted security definer set search_path = pg_catalog, pg_temp as $$
begin
    if access.carried_audience() is not null then
        return access.carried_audience() = 'office:';
    end if;
    return exists (select from access.reader where login = session_user and kind in ('owner', 'office'));
end
$$;
comment on function access.sees_office is 'Whether the rows of the whole town are read.';

create or replace function access.names_of(part text) returns text[]
language plpgsql stable parallel restricted security definer set search_path = pg_catalog, pg_temp as $$
begin
    if access.carried_audience() is not null then
        return case
            when access.carried_audience() like part || ':_%'
            then array[substr(access.carried_audience(), length(part) + 2)]
            else '{}'
        end;
    end if;
    return array(select name from access.reader where login = session_user and kind = part);
end
$$;
comment on function access.names_of is 'The communities, the departments, or the grids (each as its community, a blank and its own name), whose rows are read.';

-- The function is declared immutable, though it is not, so that PostgreSQL evaluates it while it plans a statement and
-- drops the other branches of a reader view. It only chooses a plan: the policies decide which rows are read, each time
-- anew.
create or replace function access.plans_as_office() returns boolean
language sql immutable security definer set search_path = pg_catalog, pg_temp as $$
    select access.sees_office()
$$;
comment on function access.plans_as_office is 'Whether statements of the login are planned without the barrier: the login reads the rows of the whole town.';

create or replace function access.sees_grids() returns boolean
language plpgsql stable parallel restricted security definer set search_path = pg_catalog, pg_temp as $$
begin
    return exists (select from access.reader where login = session_user and kind = 'owner')
        or (select choice.shows_grids from access.office_choice as choice);
end
$$;
comment on function access.sees_grids is 'Whether a login that sees the whole town sees in which grid and building a person lives.';

create or replace function access.is_of_own_part(person_key text) returns boolean
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
    if to_regclass('published.person') is null then
        return false;
    end if;
    return exists (
        select from published.person as person
        inner join published.current on person.publication_id = current.publication_id
        where person.person_key = is_of_own_part.person_key and (
            access.sees_office()
            or person.community = any (access.names_of('community'))
            or (person.community <> '' and person.grid <> '' and person.community || ' ' || person.grid = any (access.names_of('grid')))
            or exists (
                select from published.obligation as duty
                where duty.publication_id = person.publication_id and duty.person_key = person.person_key
                and (
                    duty.community = any (access.names_of('community'))
                    or (duty.community <> '' and duty.grid <> '' and duty.community || ' ' || duty.grid = any (access.names_of('grid')))
                    or string_to_array(duty.department, '、') && access.names_of('department')
                )
            )
        )
    );
end
$$;
comment on function access.is_of_own_part is 'Whether a person of the current publication lives, or has a duty, in the part of the town that the login reads.';

-- The hour is measured by the clock and not by the transaction, which somebody may keep open.
create or replace function access.may_read_person(person_key text) returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select exists (
        select from access.look
        where look.login = session_user and look.person_key = may_read_person.person_key
        and look.looked_at > clock_timestamp() - interval '1 hour'
        and look.asked_in is distinct from pg_current_xact_id_if_assigned()
    ) and access.is_of_own_part(may_read_person.person_key)
$$;
comment on function access.may_read_person is 'Whether the login said why it looks at a person, in a transaction that is committed, within the last hour.';

create or replace function access.persons_looked_at() returns setof text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select person_key from access.look where login = session_user and access.may_read_person(person_key)
$$;
comment on function access.persons_looked_at is 'The persons that the login may read now.';

create or replace function access.sees_all_persons() returns boolean
language plpgsql stable parallel restricted security definer set search_path = pg_catalog, pg_temp as $$
begin
    if access.carried_audience() is not null then
        return access.sees_office()
            or access.names_of('community') || access.names_of('department') || access.names_of('grid') <> '{}';
    end if;
    return exists (select from access.reader where login = session_user and kind = 'owner');
end
$$;
comment on function access.sees_all_persons is 'Whether persons are read without a look on record: by the owner, and by the reporter, which joins them to rows of its audience and records its own looks.';

create or replace function restricted.resolve(person_key text, reason text) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    -- A reason has at least two characters that are no digit, punctuation or blank, in any locale of the server.
    if coalesce(reason, '') !~ '[^[:digit:][:punct:][:space:]].*[^[:digit:][:punct:][:space:]]' then
        raise exception 'say why you look at this person' using errcode = 'invalid_parameter_value';
    end if;
    if not access.is_of_own_part(person_key) then
        raise exception 'no such person in the part of the town that you read' using errcode = 'no_data_found';
    end if;
    delete from access.look
    where look.login = session_user
    and (look.person_key = resolve.person_key or look.looked_at < clock_timestamp() - interval '1 hour');
    insert into access.look (login, person_key, looked_at, asked_in)
    values (session_user, resolve.person_key, clock_timestamp(), pg_current_xact_id());
    return audit.record(session_user, 'person_view', person_key, btrim(reason), '{"through": "restricted.resolve"}');
end
$$;
comment on function restricted.resolve is 'Say why you look at a person; returns the number of the event in the trail. Once it is committed, restricted.person shows the person to you for an hour.';

-- A reader can lift every limit of its own session except the one on temporary files. The watch still ends transactions that
-- last too long (end_readers).
create or replace function access.limit_reader(login text, connections int) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    execute format('alter role %I connection limit %s', login, connections);
    execute format('alter role %I set statement_timeout to %L', login, '10min');
    execute format('alter role %I set idle_in_transaction_session_timeout to %L', login, '1min');
    execute format('alter role %I set idle_session_timeout to %L', login, '1h');
    execute format('alter role %I set temp_file_limit to %L', login, '10GB');
end
$$;
comment on function access.limit_reader is 'Limit what a login of a reader takes of the server: connections, time, room for temporary files.';

create or replace function access.end_readers(holding text default null) returns bigint
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    select count(*) filter (where pg_terminate_backend(session.pid))
    from pg_stat_activity as session
    inner join pg_roles as login on session.usesysid = login.oid
    where session.datname = current_database() and session.pid <> pg_backend_pid()
    and not login.rolsuper and login.rolname <> current_user
    and exists (
        select from pg_roles as reader
        where reader.rolname in ('bi_reader', 'community_reader', 'department_reader', 'case_worker')
        and pg_has_role(login.oid, reader.oid, 'member')
    )
    and case
        when holding is null then
            session.xact_start < clock_timestamp() - interval '15 minutes'
            or (
                session.state like 'idle in transaction%'
                and session.state_change < clock_timestamp() - interval '2 minutes'
            )
        else exists (
            select from pg_locks as held
            where held.pid = session.pid and held.locktype = 'advisory' and held.granted
            and (held.classid::bigint << 32) | held.objid::bigint = hashtext(holding)::bigint
        )
    end
$$;
comment on function access.end_readers is 'End the sessions of readers whose transaction lasts too long, or that hold the lock of a service; returns how many.';

do $$
declare
    reader record;
begin
    for reader in
        select distinct granted.login from access.reader as granted
        inner join pg_roles as login on granted.login = login.rolname
        where granted.kind <> 'owner' and login.rolconnlimit = -1
    loop
        perform access.limit_reader(reader.login, case reader.login when 'bi_reader' then 30 else 10 end);
    end loop;
end
$$;
