-- The roles: one for each service, one for each kind of reader, and two that own things and never log in.
-- Repeatable; run by the owner of the database, who may make roles and is no superuser. Who may do what: access.yml.
do $$
declare
    wanted record;
begin
    for wanted in
        select * from (values
            ('loader', 'login', 'staging'), ('transformer', 'login', 'build'), ('auditor', 'login', 'build'),
            ('publisher', 'login', 'published'), ('reporter', 'login', 'published'), ('bi_reader', 'login', 'reporting'),
            -- Groups: a reader's login is a member, and reads what access.reader says of it.
            ('community_reader', 'nologin', null), ('department_reader', 'nologin', null), ('case_worker', 'nologin', null),
            -- A mart belongs to build_owner from dbt's last statement to its publication (docs/decisions/roles.md);
            -- the views that readers query belong to view_owner.
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
            ('build_owner', 'transformer'), ('build_owner', 'publisher'), ('view_owner', 'publisher')
        ) as memberships (role, member)
    loop
        if not exists (
            select from pg_auth_members
            where roleid = to_regrole(wanted.role) and member = to_regrole(wanted.member)
        ) then
            execute format('grant %I to %I', wanted.role, wanted.member);
        end if;
    end loop;
end
$$;
