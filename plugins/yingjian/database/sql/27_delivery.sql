-- These views show the public figures that are signed off (article 31).
create schema if not exists reporting_public;
comment on schema reporting_public is 'What the public may read: figures of the newest publication that was signed off (article 31), small counts protected.';

create or replace view published.released as
select
    publication_id,
    as_of_date,
    decided_at
from (
    select distinct on (public_release.publication_id)
        public_release.publication_id,
        publication.as_of_date,
        public_release.decision,
        public_release.decided_at
    from published.public_release
    inner join published.publication on public_release.publication_id = publication.publication_id
    where public_release.decision in ('released', 'rejected')
    order by public_release.publication_id asc, public_release.decision_id desc
) as last_decision
where decision = 'released'
order by as_of_date desc, publication_id desc
limit 1;

comment on view published.released is 'At most one row: of the publications that are signed off, the newest one of the latest business date.';
comment on column published.released.publication_id is 'The publication that reporting_public shows.';
comment on column published.released.as_of_date is 'Its business date.';
comment on column published.released.decided_at is 'When it was signed off.';

-- The view is replaced only if it is new or lacks the security barrier, because a replacement waits for every reader.
do $$
begin
    if not exists (
        select from pg_class
        where oid = to_regclass('reporting_public.publication') and 'security_barrier=true' = any (reloptions)
    )
    then
        create or replace view reporting_public.publication with (security_barrier = true) as
        select
            publication.publication_id,
            publication.as_of_date,
            publication.published_at,
            publication.policy_edition,
            released.decided_at as released_at
        from published.publication
        inner join published.released on publication.publication_id = released.publication_id
        offset 0;
    end if;
end
$$;

comment on view reporting_public.publication is 'The publication whose figures the public reads; at most one row.';
comment on column reporting_public.publication.publication_id is 'Number of the publication, rising with time.';
comment on column reporting_public.publication.as_of_date is 'Business date D: the state at 24:00 of that day, Asia/Shanghai.';
comment on column reporting_public.publication.published_at is 'When the publication became the current one.';
comment on column reporting_public.publication.policy_edition is 'Edition of the policy in force on D.';
comment on column reporting_public.publication.released_at is 'When its public figures were signed off.';
