-- Officials say in the portal what they did about an item of a list. dbt reads these answers beside those that came as files.
create table portal.disposition (
    disposition_id bigint generated always as identity primary key,
    list text not null,
    item_id text not null,
    result text not null,
    login text not null,
    handled_by text not null,
    handled_at timestamp not null,
    remark text not null default '',
    said_at timestamptz not null default clock_timestamp()
);
create index disposition_item on portal.disposition (item_id, handled_at desc);
comment on table portal.disposition is 'One row per answer that an official gave in the portal about an item of a list; never changed, deleted by retention alone.';
comment on column portal.disposition.list is 'The list on which the item stood, by the name of its mart.';
comment on column portal.disposition.item_id is 'The item, as the mart list_item names it.';
comment on column portal.disposition.result is 'What was done: a code of the feed dispositions.';
comment on column portal.disposition.login is 'Who said it, by the login of officials.yml.';
comment on column portal.disposition.handled_by is 'Who said it, by the name that officials.yml had then.';
comment on column portal.disposition.handled_at is 'When it was said by the clock of the home, Asia/Shanghai.';
comment on column portal.disposition.remark is 'A note; may name a person.';
comment on column portal.disposition.said_at is 'When the row was written.';
