-- A refused row keeps what identifies its record in the form that staging has, and a number by which its correction names it.
alter table quality.rejected_row
add column typed jsonb, add column return_number uuid not null default gen_random_uuid();
comment on column quality.rejected_row.typed is 'What landing compares with staging, by staging''s columns: the key, updated_at unless it is wrong, the name of a sample''s person; sender is who the row says answers for it. Null where the row could not be taken apart, and for rows that were refused before this column was.';
comment on column quality.rejected_row.return_number is 'Random. The workbook that goes back to the sender shows it as 退回编号; a row that comes with it corrects this one.';

-- Landing goes through the open rows of a feed, and no longer looks for a key as it was sent. The first migrations, which may run again in an
-- older home, know the index by its name.
drop index quality.rejected_row_open;
create index rejected_row_open on quality.rejected_row (feed) where resolved_at is null;
