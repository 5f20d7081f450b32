-- The reporter takes a sign-off over from the decision that the portal wrote, and can write none of its own (article 31).
alter table published.public_release enable row level security;
create policy all_may_read on published.public_release for select using (true);
create policy decided_in_the_portal on published.public_release for insert to reporter with check (
    decision = 'expired'
    or exists (
        select from publishing.decision as given
        where given.publication_id = public_release.publication_id and given.decided_by = public_release.decided_by
        and given.is_released = (public_release.decision = 'released')
        and not exists (
            select from publishing.decision as later
            where later.publication_id = given.publication_id and later.decision_id > given.decision_id
            and later.is_released <> given.is_released
        )
    )
);
