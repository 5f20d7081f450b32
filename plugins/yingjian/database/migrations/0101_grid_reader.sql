-- A grid of a community is a part of the town, too: whoever works in it reads its rows and no others of the community.
alter table access.reader drop constraint reader_kind_check;
alter table access.reader drop constraint reader_check;
alter table access.reader add constraint reader_kind_check
check (kind in ('owner', 'office', 'community', 'department', 'grid'));
alter table access.reader add constraint reader_check
check ((kind in ('community', 'department', 'grid')) = (name <> ''));
comment on column access.reader.kind is 'community, department or grid: the rows of that one; office: all rows; owner: all rows, and persons without a look on record.';
comment on column access.reader.name is 'The community or department, as the feeds write it; a grid is its community and its number, with a blank between them.';
