-- Who may read what. bi_reader reads reporting and nothing else; PUBLIC has nothing.
revoke all on schema public from public;

do $$
begin
    if exists (select from pg_roles where rolname = 'bi_reader') then
        grant usage on schema reporting to bi_reader;
        grant select on all tables in schema reporting to bi_reader;
        alter default privileges in schema reporting grant select on tables to bi_reader;
    end if;
end
$$;
