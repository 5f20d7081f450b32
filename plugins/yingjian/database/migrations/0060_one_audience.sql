-- The policies narrow what the reporter reads, so it makes no temporary views any more. The table of rights grants what
-- publishing makes, so the default privileges that did it go.
do $$
declare
    item record;
begin
    execute format('revoke temporary on database %I from reporter', current_database());
    for item in
        select * from (values
            ('published', 'view_owner'), ('published', 'reporter'), ('published', 'transformer'), ('published', 'loader'),
            ('reporting', 'bi_reader'), ('reporting', 'community_reader'), ('reporting', 'department_reader'),
            ('reporting', 'case_worker'), ('reporting_public', 'bi_reader'), ('reporting_public', 'community_reader'),
            ('reporting_public', 'department_reader'), ('reporting_public', 'case_worker'),
            ('restricted', 'case_worker')
        ) as readers (schema, reader)
        where to_regnamespace(readers.schema) is not null
    loop
        execute format(
            'alter default privileges for role publisher in schema %I revoke select on tables from %I',
            item.schema, item.reader
        );
    end loop;
    -- access.names_of takes the place of two functions. The same migration makes the policies that named them anew; until
    -- then their tables show no row.
    for item in select tablename from pg_policies where schemaname = 'published' and policyname = 'readers'
    loop
        execute format('drop policy readers on published.%I', item.tablename);
    end loop;
    drop function if exists access.communities(), access.departments();
end
$$;
