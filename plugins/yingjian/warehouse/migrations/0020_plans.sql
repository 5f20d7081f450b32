-- Homes made before: what publishing and case workers no longer need.
do $$
begin
    if exists (
        select from pg_auth_members
        where roleid = 'pg_read_all_stats'::regrole and member = 'publisher'::regrole
    ) then
        revoke pg_read_all_stats from publisher;
    end if;
    revoke execute on function access.may_read_person, access.sees_all_persons from case_worker, publisher;
end
$$;
