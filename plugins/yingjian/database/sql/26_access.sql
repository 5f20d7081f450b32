-- Whose rows a login sees, and which persons it has said why it looks at. Policies of published.* ask these functions;
-- each is evaluated once per query. session_user is the login itself: set role does not change it.
insert into access.reader (login, kind, granted_by)
values (current_user, 'owner', 'migration'), ('bi_reader', 'office', 'migration')
on conflict do nothing;

create or replace function access.is_reader() returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select exists (select from access.reader where login = session_user)
$$;
comment on function access.is_reader is 'Whether the login reads any part of the town.';

create or replace function access.sees_office() returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select exists (select from access.reader where login = session_user and kind in ('owner', 'office'))
$$;
comment on function access.sees_office is 'Whether the login reads the rows of the whole town.';

-- Immutable although it is not: so it is evaluated while a statement is planned, and of a reader view only the branch of
-- this login is left. It chooses a plan; which rows are read is for the policies, which ask anew each time.
create or replace function access.plans_as_office() returns boolean
language sql immutable security definer set search_path = pg_catalog, pg_temp as $$
    select access.sees_office()
$$;
comment on function access.plans_as_office is 'Whether statements of the login are planned without the barrier: the login reads the rows of the whole town.';

create or replace function access.communities() returns text[]
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select coalesce(array_agg(name), '{}') from access.reader where login = session_user and kind = 'community'
$$;
comment on function access.communities is 'The communities whose rows the login reads.';

create or replace function access.departments() returns text[]
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select coalesce(array_agg(name), '{}') from access.reader where login = session_user and kind = 'department'
$$;
comment on function access.departments is 'The departments whose rows the login reads.';

-- plpgsql: the marts are there only after the first publication.
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
            or person.community = any (access.communities())
            or exists (
                select from published.obligation as duty
                where duty.publication_id = person.publication_id and duty.person_key = person.person_key
                and (
                    duty.community = any (access.communities())
                    or string_to_array(duty.department, '、') && access.departments()
                )
            )
        )
    );
end
$$;
comment on function access.is_of_own_part is 'Whether a person of the current publication lives, or has a duty, in the part of the town that the login reads.';

create or replace function access.may_read_person(person_key text) returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select exists (
        select from access.look
        where look.login = session_user and look.person_key = may_read_person.person_key
        and look.looked_at > now() - interval '1 hour'
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
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select exists (select from access.reader where login = session_user and kind = 'owner')
$$;
comment on function access.sees_all_persons is 'Whether the login reads persons without saying why: the owner of the database, who is none of the readers.';

create or replace function restricted.resolve(person_key text, reason text) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if btrim(coalesce(reason, '')) = '' then
        raise exception 'say why you look at this person' using errcode = 'invalid_parameter_value';
    end if;
    if not access.is_of_own_part(person_key) then
        raise exception 'no such person in the part of the town that you read' using errcode = 'no_data_found';
    end if;
    delete from access.look
    where look.login = session_user
    and (look.person_key = resolve.person_key or look.looked_at < now() - interval '1 hour');
    insert into access.look (login, person_key, looked_at, asked_in)
    values (session_user, resolve.person_key, clock_timestamp(), pg_current_xact_id());
    return audit.record(session_user, 'person_view', person_key, btrim(reason), '{"through": "restricted.resolve"}');
end
$$;
comment on function restricted.resolve is 'Say why you look at a person; returns the number of the event in the trail. Once it is committed, restricted.person shows the person to you for an hour.';
