-- Whose rows a login sees, and which persons it has said why it looks at.
create schema if not exists access;

create table if not exists access.reader (
    login text not null,
    kind text not null check (kind in ('owner', 'office', 'community', 'department')),
    name text not null default '',
    granted_by text not null,
    granted_at timestamptz not null default now(),
    primary key (login, kind, name),
    check ((kind in ('community', 'department')) = (name <> ''))
);

comment on table access.reader is 'Which part of the town a login reads: one row per login and part; a login without a row reads nothing.';
comment on column access.reader.login is 'Name of the login role.';
comment on column access.reader.kind is 'community or department: the rows of that one; office: all rows; owner: all rows, and persons without a look on record.';
comment on column access.reader.name is 'The community or department, as the feeds write it.';
comment on column access.reader.granted_by is 'Who granted it.';

create table if not exists access.look (
    login text not null,
    person_key text not null,
    looked_at timestamptz not null,
    asked_in xid8 not null,
    primary key (login, person_key)
);

comment on table access.look is 'Persons that a login may read in restricted.person for an hour, since it said why (audit.event has it for good).';
comment on column access.look.asked_in is 'The transaction that said why: the person can be read once it is committed, so that no rollback takes the trace away.';

create table if not exists access.person_secret (
    is_only_row boolean primary key default true check (is_only_row),
    fingerprint text not null,
    since timestamptz not null default now()
);

comment on table access.person_secret is 'One row: the fingerprint of the secret that the person keys here were made with; the secret itself is outside.';
comment on column access.person_secret.is_only_row is 'Always true: keeps the table at one row.';
comment on column access.person_secret.fingerprint is 'Keyed hash of a constant, from which the secret does not follow.';
comment on column access.person_secret.since is 'When the keys were made with it, or first seen.';

create table if not exists access.definition (
    digest text primary key,
    since timestamptz not null default now()
);

comment on table access.definition is 'Every version of the roles and grants that a migration brought; the trail has an event for each.';
comment on column access.definition.digest is 'SHA-256 over the files that define them.';
