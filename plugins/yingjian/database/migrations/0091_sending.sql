-- Senders send files in the portal. The portal puts them here and reads none; landing takes them like files of the inbox.
create table portal.sending (
    sending_id bigint generated always as identity primary key,
    login text not null,
    sender text not null,
    feed text not null,
    suffix text not null,
    size_bytes bigint not null,
    corrects bigint,
    sent_at timestamptz not null default clock_timestamp()
);
create index sending_of on portal.sending (login, sent_at);
create index sending_corrects on portal.sending (corrects) where corrects is not null;
comment on table portal.sending is 'One row per file that a sender sent in the portal; names no person and stays.';
comment on column portal.sending.sending_id is 'Number of the file; landing knows it as portal:sending/NUMBER.';
comment on column portal.sending.login is 'Who sent it, by the login of officials.yml.';
comment on column portal.sending.sender is 'For whom, by the name that the rows of the feeds have.';
comment on column portal.sending.feed is 'The feed that it is of.';
comment on column portal.sending.suffix is 'The ending of its name; the name itself is not kept, since some are called after persons.';
comment on column portal.sending.size_bytes is 'Its size.';
comment on column portal.sending.corrects is 'The rejected row whose correction it is (quality.rejected_row); null for a file.';
comment on column portal.sending.sent_at is 'When it was sent.';

create table portal.sent_file (
    sending_id bigint primary key references portal.sending,
    content bytea not null
);
comment on table portal.sent_file is 'The bytes of such files, as they were sent: personal data, deleted by rule.';
comment on column portal.sent_file.sending_id is 'The file.';
comment on column portal.sent_file.content is 'Its bytes.';
