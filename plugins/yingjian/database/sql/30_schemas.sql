-- This file creates the schemas that dbt and publishing fill. plugins/yingjian/privacy/access.yml says what each role may do,
-- and plugins/yingjian/privacy/grants.py grants it. This file grants only the rights that access.yml cannot express: on the
-- database, on single columns, and of the owner roles.
create schema if not exists staging_latest;
create schema if not exists intermediate;
create schema if not exists policy;
create schema if not exists build;
create schema if not exists spark;
create schema if not exists reporting_public;
create schema if not exists own_part;

-- The table holds the last change of the source that each incremental model has processed. It is unlogged like those models: a
-- crash empties both, and the next build reads everything. Backups leave this schema out, so a migration, which runs only once,
-- must not create the table.
create unlogged table if not exists intermediate.increment_progress (
    model text primary key, definition text not null, change_id bigint not null
);
comment on table intermediate.increment_progress is 'Model that is kept between builds, digest of its code, and the last row of staging.sample_change that is in it.';

do $$
begin
    execute format('revoke all on database %I from public', current_database());
    execute format(
        'grant connect on database %I to'
        ' loader, transformer, auditor, publisher, reporter, portal, bi_reader, community_reader, department_reader, case_worker',
        current_database()
    );
    -- Landing merges rows through temporary tables.
    execute format('grant temporary on database %I to loader, transformer', current_database());
end
$$;

alter default privileges revoke execute on functions from public;
alter default privileges for role transformer revoke execute on functions from public;
alter default privileges for role publisher revoke execute on functions from public;

-- Default privileges cover what dbt creates between two migrations; a model that more roles read says so in its YAML.
alter default privileges for role transformer in schema build, intermediate, policy grant select on tables to auditor;
alter default privileges for role transformer in schema policy grant select on tables to publisher;

-- dbt and the audit count rejected rows, and dbt counts contradictions, without reading their content. The export for Spark
-- detects changes by xmin.
grant select (rejected_id, file_id, feed, reason_codes, sender, rejected_at, resolved_at)
on quality.rejected_row to transformer, auditor;
grant select (xmin) on quality.rejected_row, quality.contradiction to transformer;
grant select (contradiction_id, file_id, line, feed, other_file_id, other_line, columns, found_at)
on quality.contradiction to transformer;

-- The views that readers query belong to view_owner, so the policies of the tables behind them apply to it. A mart belongs to
-- build_owner until it is published.
grant create on schema build to build_owner;
grant usage on schema published, access, operations to view_owner;
grant usage, create on schema reporting, reporting_public, restricted, own_part to view_owner;
grant select on published.publication, published.current, published.released to view_owner;
grant select on operations.task_run, operations.model_run, operations.notice to view_owner;
grant execute on function
access.is_reader, access.sees_office, access.plans_as_office, access.sees_grids, access.names_of, access.may_read_person,
access.sees_all_persons, access.persons_looked_at
to view_owner;
do $$
declare
    mart regclass;
begin
    for mart in
        select oid from pg_class where relnamespace = to_regnamespace('published') and relkind = 'p'
        and not has_table_privilege('view_owner', oid, 'select')
    loop
        execute format('grant select on %s to view_owner', mart);
    end loop;
end
$$;
