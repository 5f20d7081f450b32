-- A form of today's list shows an item's number encrypted, so that it tells nobody whose rows a BI tool shows.
create table if not exists access.item_secret (
    is_only_row boolean primary key default true check (is_only_row),
    secret bytea not null check (length(secret) = 32)
);
comment on table access.item_secret is 'One row: the key with which forms hide the numbers of items; made at random, in no reader''s reach.';
comment on column access.item_secret.is_only_row is 'Always true: keeps the table at one row.';
comment on column access.item_secret.secret is 'The key.';
-- Two random UUIDs have 244 random bits.
insert into access.item_secret (secret)
values (sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8')))
on conflict do nothing;
