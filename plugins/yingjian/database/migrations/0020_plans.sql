-- Homes made before: what publishing and case workers no longer need.
do $$
begin
    if exists (
        select from pg_auth_members
        where roleid = 'pg_read_all_stats'::regrole and member = 'publisher'::regrole
    ) then
        revoke pg_read_all_stats from publisher;
    end if;
    if to_regproc('access.may_read_person') is not null then
        revoke execute on function access.may_read_person, access.sees_all_persons from case_worker, publisher;
    end if;
end
$$;
