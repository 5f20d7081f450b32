-- What each file brought by sender and day, whether it came whole, and versions of a record that contradict each other.
alter table quality.landed_file
add column ends_with_newline boolean,
add column suspicions text[] not null default '{}';

comment on column quality.landed_file.ends_with_newline is 'Whether its last line is ended as lines are; null where a file has no lines.';
comment on column quality.landed_file.suspicions is 'Why it may not be whole: cut_row (its last row has too few cells), no_newline (its last line has no end, and those of its senders'' files before had one), few_rows (less of a sender''s day than the seed feed lets pass as usual, until another file brings the rest).';

create table quality.file_part (
    file_id bigint not null,
    sender text,
    day date,
    rows bigint not null,
    rows_new bigint not null,
    unique nulls not distinct (file_id, sender, day)
);
create index file_part_of_day on quality.file_part (day, sender);

comment on table quality.file_part is 'What a staged file brought: one row per file, sender and date of 更新时间; of risk_areas per file, also when its list is empty.';
comment on column quality.file_part.sender is 'Who answers for the rows, as sent: laboratory, pharmacy, department or community; null where the feed, or the row, names none.';
comment on column quality.file_part.day is 'Date of 更新时间; of risk_areas the date of the list.';
comment on column quality.file_part.rows is 'Valid rows.';
comment on column quality.file_part.rows_new is 'Of those, rows that are a new record or changed one: what a later export repeats is not new, nor is a version older than what was there.';

create table quality.contradiction (
    contradiction_id bigint generated always as identity primary key,
    file_id bigint not null,
    line int not null,
    feed text not null,
    record_key text,
    other_file_id bigint not null,
    other_line int not null,
    columns text[] not null check (cardinality(columns) > 0),
    found_at timestamptz not null default now()
);
create index contradiction_of_file on quality.contradiction (file_id);

comment on table quality.contradiction is 'Two versions of a record with the same 更新时间 and different values: one row per version that gave way to a later one.';
comment on column quality.contradiction.file_id is 'File of the version that stays: the later file, or the later line.';
comment on column quality.contradiction.line is 'Its line there.';
comment on column quality.contradiction.record_key is 'The record key; null where it is the document number, and once its days are over (retention_rule rejected_row).';
comment on column quality.contradiction.other_file_id is 'File of the version that gave way; the same one where a file contradicts itself.';
comment on column quality.contradiction.other_line is 'Its line there.';
comment on column quality.contradiction.columns is 'Columns that differ, as the feed names them; no values.';
comment on column quality.contradiction.found_at is 'When landing met them.';

comment on column quality.deletion.rows_deleted is 'Rows that went; of rejected_row, rows that were emptied there and in contradiction; of packs and pulled, folders and files.';
