-- This file creates one role per service and per kind of reader, and two owner roles that never log in. It is repeatable. The
-- database owner runs it, who may create roles and is no superuser. access.yml has the rights.
do $$
declare
    wanted record;
begin
    for wanted in
        select * from (values
            ('loader', 'login', 'staging'), ('transformer', 'login', 'build'), ('auditor', 'login', 'build'),
            ('publisher', 'login', 'published'), ('reporter', 'login', 'published'), ('portal', 'login', 'portal'),
            ('bi_reader', 'login', 'reporting'),
            -- A reader's login is a member of these groups, and reads the parts of the town that access.reader lists.
            ('community_reader', 'nologin', null), ('department_reader', 'nologin', null), ('case_worker', 'nologin', null),
            -- A mart belongs to build_owner from dbt's last statement to its publication (docs/decisions/roles.md); the
            -- views that readers query belong to view_owner.
            ('build_owner', 'nologin', null), ('view_owner', 'nologin', null)
        ) as roles (role, login, home)
    loop
        if to_regrole(wanted.role) is null then
            execute format('create role %I %s', wanted.role, wanted.login);
        end if;
        -- The owner may act as each of them, so that nothing is out of its reach.
        if not (pg_has_role(current_user, wanted.role, 'usage') and pg_has_role(current_user, wanted.role, 'set')) then
            execute format('grant %I to %I with inherit true, set true', wanted.role, current_user);
        end if;
        -- The search path is pinned: a name without a schema means the role's own schema and nothing before it.
        if wanted.home is not null and not exists (
            select from pg_roles
            where rolname = wanted.role and format('search_path=%s, pg_temp', wanted.home) = any (rolconfig)
        ) then
            execute format('alter role %I set search_path to %I, pg_temp', wanted.role, wanted.home);
        end if;
    end loop;

    if not exists (
        select from pg_roles where rolname = 'bi_reader' and 'default_transaction_read_only=on' = any (rolconfig)
    ) then
        alter role bi_reader set default_transaction_read_only to on;
    end if;

    for wanted in
        select * from (values
            ('build_owner', 'transformer'), ('build_owner', 'publisher'), ('view_owner', 'publisher'),
            -- Reserved connections keep the services working when readers take all the others.
            ('pg_use_reserved_connections', 'loader'), ('pg_use_reserved_connections', 'transformer'),
            ('pg_use_reserved_connections', 'auditor'), ('pg_use_reserved_connections', 'publisher'),
            ('pg_use_reserved_connections', 'reporter'), ('pg_use_reserved_connections', 'portal')
        ) as memberships (role, member)
    loop
        if not exists (
            select from pg_auth_members
            where roleid = to_regrole(wanted.role) and member = to_regrole(wanted.member)
        ) then
            execute format('grant %I to %I', wanted.role, wanted.member);
        end if;
    end loop;

    -- Services take turns by advisory locks, which readers may not take (bootstrap.py).
    for wanted in
        select function.oid::regprocedure as function, service.role
        from pg_proc as function
        cross join unnest(array['loader', 'transformer', 'auditor', 'publisher', 'reporter']) as service (role)
        where function.pronamespace = 'pg_catalog'::regnamespace
        and function.proname ~ '^pg_(try_)?advisory_(xact_)?lock(_shared)?$'
        and not has_function_privilege(service.role, function.oid, 'execute')
    loop
        execute format('grant execute on function %s to %I', wanted.function, wanted.role);
    end loop;

    -- Readers may set parameters of their own session, as drivers do. A service may not use this function, because a view built
    -- by dbt could call it with the rights of the service that reads the view.
    for wanted in
        select role from unnest(array['bi_reader', 'community_reader', 'department_reader', 'case_worker']) as named (role)
        where not has_function_privilege(role, 'set_config(text, text, boolean)', 'execute')
    loop
        execute format('grant execute on function set_config(text, text, boolean) to %I', wanted.role);
    end loop;

    -- Publishing creates the function that reads persons. Apart from the owner, no other role creates functions.
    if not has_language_privilege('publisher', 'sql', 'usage') then
        grant usage on language sql to publisher;
    end if;
end
$$;
