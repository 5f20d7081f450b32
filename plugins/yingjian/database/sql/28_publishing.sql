-- dbt calls these functions to check that it owns the build, and to register its marts (plugins/yingjian/publishing/build.py
-- has the rest).
create schema if not exists publishing;

create or replace function publishing.require_build(given_token text, business_date date) returns void
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
    owner record;
begin
    select token, as_of_date, run_id into owner from publishing.build where state = 'building';
    if not found then
        raise exception 'nobody owns the schema build: use yingjian run --date D, yingjian dbt, or the target dev'
        using errcode = 'object_not_in_prerequisite_state';
    end if;
    if owner.token::text is distinct from given_token or owner.as_of_date is distinct from business_date then
        raise exception 'the schema build belongs to run % of business date %: wait for it, or use the target dev',
            owner.run_id, owner.as_of_date
        using errcode = 'object_not_in_prerequisite_state';
    end if;
end
$$;

create or replace function publishing.note_mart(mart_name text, given_token text, business_date date) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform publishing.require_build(given_token, business_date);
    insert into publishing.built_mart (mart, token, as_of_date, relation)
    values (mart_name, given_token::uuid, business_date, to_regclass(format('build.%I', mart_name))::oid)
    on conflict (mart) do update set
        token = excluded.token, as_of_date = excluded.as_of_date,
        relation = excluded.relation, built_at = clock_timestamp();
end
$$;
