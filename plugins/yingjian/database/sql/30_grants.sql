-- Who may do what, schema by schema. PUBLIC has nothing; what no line gives is denied. access.yml says the same for
-- people to read, and a test tries every line of it. What dbt makes gets its grants from dbt (dbt_project.yml).
create schema if not exists staging_latest;
create schema if not exists intermediate;
create schema if not exists policy;
create schema if not exists build;
create schema if not exists reporting_public;
create schema if not exists own_part;

-- Through which change each increment has read its source. Unlogged as the increments are: a crash empties both, and
-- the next build reads everything. No backup holds this schema, so no migration, which runs once, may make its table.
create unlogged table if not exists intermediate.increment_progress (
    model text primary key, definition text not null, change_id bigint not null
);
comment on table intermediate.increment_progress is 'Model that is kept between builds, digest of its code, and the last row of staging.sample_change that is in it.';

do $$
begin
    execute format('revoke all on database %I from public', current_database());
    execute format(
        'grant connect on database %I to'
        ' loader, transformer, auditor, publisher, reporter, bi_reader, community_reader, department_reader, case_worker',
        current_database()
    );
    -- Landing merges by temporary tables, the packs are narrowed by temporary views.
    execute format('grant temporary on database %I to loader, transformer, reporter', current_database());
end
$$;

revoke all on schema public from public;
revoke all on all functions in schema audit, access, restricted, staging, publishing, published from public;
alter default privileges revoke execute on functions from public;
alter default privileges for role transformer revoke execute on functions from public;
alter default privileges for role publisher revoke execute on functions from public;

-- Landing and retention: write staging and quarantine.
grant usage on schema staging, quality, policy, published, access, intermediate to loader;
grant select on intermediate.increment_progress to loader;
grant select on access.person_secret to loader;
grant select, insert, update, delete on all tables in schema staging to loader;
grant execute on function staging.settle_samples to loader;
grant select, insert, update on quality.landed_file to loader;
grant select, insert, update, delete on quality.rejected_row to loader;
grant select, insert on quality.layout_decision, quality.deletion, quality.file_part to loader;
grant select, insert, update on quality.contradiction to loader;
-- Retention asks the current publication who still has something open.
grant select on published.publication, published.current to loader;

-- dbt: reads staging and what was published, makes everything between staging and the marts; no raw rows.
grant usage on schema staging, quality, published, delivery to transformer;
grant select on delivery.attempt to transformer;
grant select on all tables in schema staging to transformer;
grant select on quality.landed_file, quality.file_part, published.publication, published.current to transformer;
grant select (contradiction_id, file_id, line, feed, other_file_id, other_line, columns, found_at)
on quality.contradiction to transformer;
grant select (rejected_id, file_id, feed, reason_codes, sender, rejected_at, resolved_at)
on quality.rejected_row to transformer;
grant usage, create on schema staging_latest, intermediate, policy, build to transformer;
grant create on schema build to build_owner;

-- dbt shows at every step that its run owns the schema build.
grant usage on schema publishing to transformer;
grant execute on function publishing.require_build, publishing.note_mart to transformer;

-- The audit: reads staging and the build, writes what it found and nothing else.
grant usage on schema staging, intermediate, policy, build, quality to auditor;
grant select on all tables in schema staging to auditor;
grant usage on schema published to auditor;
grant select on published.publication to auditor;
grant select on quality.landed_file, quality.changed_sample_file, quality.changed_test_results to auditor;
grant select (rejected_id, file_id, feed, reason_codes, sender, rejected_at, resolved_at) on quality.rejected_row to auditor;
grant select, insert on quality.check_result to auditor;
grant usage on schema audit to auditor;
grant select on audit.event to auditor;
grant execute on function audit.hash_of to auditor;

-- Publishing: moves the build under published, makes the views that readers query, says which publication is current.
grant usage, create on schema build, published to publisher;
grant usage on schema intermediate, policy, quality, access to publisher;
grant select on intermediate.increment_progress to publisher;
grant select on quality.landed_file, quality.file_part, quality.check_result to publisher;
grant select, insert on quality.deletion to publisher;
grant select, insert on published.publication, published.policy_state to publisher;
grant select, insert, delete on published.staged to publisher;
grant select, insert, update on published.current to publisher;
-- Whose turn it is to build, and which marts are whose.
grant usage on schema publishing to publisher;
grant select, insert, update on publishing.build to publisher;
grant select on publishing.built_mart to publisher;
grant execute on function published.older_statements to publisher;

-- Report, packs, portal, delivery: read what was published.
grant usage on schema published, quality, audit, delivery, intermediate to reporter;
grant select, insert, update on delivery.attempt to reporter;
grant select, insert on published.public_release to reporter;
grant select on published.released to reporter, view_owner;
grant select on published.publication, published.current to reporter;
grant select on quality.landed_file, quality.rejected_row, quality.check_result, quality.sender_day to reporter;

-- The watch, beside the reporter's work: it reads what the pipeline did and keeps what it told.
grant usage on schema operations, publishing to reporter;
grant select, insert, update on operations.notice to reporter;
grant select on operations.backup, operations.model_run, publishing.build to reporter;
grant select, insert, update on operations.task_run to reporter;
-- The build says what each model took.
grant usage on schema operations to publisher;
grant select, insert, update on operations.model_run to publisher;

-- Who does something with persons' data says so in the trail.
grant usage on schema audit to loader, publisher, reporter;
grant execute on function audit.record to loader, publisher, reporter;

-- The views that readers query belong to view_owner, and the policies of the tables behind them are its own.
grant usage on schema published to view_owner;
grant usage, create on schema reporting, reporting_public, restricted, own_part to view_owner;
grant usage, create on schema own_part to publisher;
grant select on published.publication, published.current to view_owner;
grant usage on schema reporting, reporting_public to bi_reader, community_reader, department_reader, case_worker;
grant usage on schema restricted to case_worker;
grant execute on function restricted.resolve to case_worker;
grant execute on function
access.is_reader, access.sees_office, access.plans_as_office, access.communities, access.departments
to publisher, bi_reader, community_reader, department_reader, case_worker;
grant usage on schema access to view_owner;
grant execute on function access.may_read_person, access.sees_all_persons, access.persons_looked_at to view_owner;

-- Each object belongs to the role that makes it; homes made before had one owner for all.
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

-- What publishing makes is readable by these as it is made.
do $$
declare
    item record;
    relation regclass;
begin
    for item in
        select * from (values
            ('published', 'view_owner'), ('published', 'reporter'), ('published', 'transformer'), ('published', 'loader'),
            ('reporting', 'bi_reader'), ('reporting', 'community_reader'), ('reporting', 'department_reader'),
            ('reporting', 'case_worker'), ('reporting_public', 'bi_reader'), ('reporting_public', 'community_reader'),
            ('reporting_public', 'department_reader'), ('reporting_public', 'case_worker'),
            ('restricted', 'case_worker')
        ) as readers (schema, reader)
    loop
        execute format(
            'alter default privileges for role publisher in schema %I grant select on tables to %I',
            item.schema, item.reader
        );
        for relation in
            select oid from pg_class
            where relnamespace = to_regnamespace(item.schema) and relkind in ('p', 'v')
            and not has_table_privilege(item.reader, oid, 'select')
        loop
            execute format('grant select on %s to %I', relation, item.reader);
        end loop;
    end loop;
end
$$;
