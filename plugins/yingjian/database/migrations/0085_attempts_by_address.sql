-- Failed sign-ins count by login and address, so that nobody keeps an official of elsewhere waiting. Counts that are there
-- stand for all addresses.
alter table portal.attempt
add column source_hash bytea not null default '',
drop constraint attempt_pkey,
add constraint attempt_pkey primary key (login_hash, source_hash);
comment on table portal.attempt is 'One row per login, and per login and address, that failed to sign in since it last succeeded.';
comment on column portal.attempt.source_hash is 'SHA-256 of login and address; empty for the login from all addresses together.';
