-- A tool that stays connected without asking anything holds one of its login's connections; access.limit_reader ends it from now on, too.
do $$
declare
    reader record;
begin
    for reader in
        select distinct granted.login from access.reader as granted
        inner join pg_roles as login on granted.login = login.rolname where granted.kind <> 'owner'
    loop
        execute format('alter role %I set idle_session_timeout to %L', reader.login, '1h');
    end loop;
end
$$;
