-- Each object belongs to the role that creates it. Older homes had one owner for all, so this file reassigns their objects.
do $$
declare
    item record;
begin
    for item in
        select
            relation.oid::regclass as name,
            case when relation.relkind = 'v' then 'view' else 'table' end as kind,
            case
                when schema.nspname in ('reporting', 'reporting_public', 'restricted', 'own_part') then 'view_owner'
                when schema.nspname = 'build' then 'build_owner'
                when schema.nspname = 'published' then 'publisher'
                else 'transformer'
            end as owner
        from pg_class as relation
        inner join pg_namespace as schema on schema.oid = relation.relnamespace
        where relation.relkind in ('r', 'p', 'v') and (
            schema.nspname in (
                'reporting', 'reporting_public', 'restricted', 'own_part', 'build', 'staging_latest', 'intermediate',
                'policy'
            )
            or (schema.nspname = 'published' and relation.relname not in (
                'publication', 'staged', 'current', 'policy_state', 'public_release', 'released'
            ))
        )
    loop
        if (select pg_get_userbyid(relowner) from pg_class where oid = item.name) is distinct from item.owner then
            execute format('alter %s %s owner to %I', item.kind, item.name, item.owner);
        end if;
    end loop;
end
$$;
