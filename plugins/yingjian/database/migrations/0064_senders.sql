-- A full export may shrink to a fraction of the one before.
comment on column quality.landed_file.suspicions is 'Why it may not be whole: cut_row (its last row has too few cells, or a page has no end), no_newline (its last line has no end, and those of its senders'' files before had one), few_rows (less of a sender''s day than the seed feed lets pass as usual, until another file brings the rest), other_columns (many rows with the same other number of cells), old_dates (dates of 1900 or 1904, which empty cells become), vanished (a full export without some records of its sender that earlier files had), shrunk (a fraction of the sender''s full export before, and hardly anything else).';

-- Each sender gets the rows back that could not be taken, with the faulty cells marked, and a sheet each month.
alter table quality.rejected_row add column cells jsonb, add column wrong_columns text[] not null default '{}';
comment on column quality.rejected_row.cells is 'The cells of the row as they were sent, by the feed''s columns; null where the row could not be taken apart.';
comment on column quality.rejected_row.wrong_columns is 'Columns of the feed whose cells are wrong.';

alter table delivery.attempt drop constraint attempt_what_check;
alter table delivery.attempt add constraint attempt_what_check
check (what in ('pack', 'bulletin', 'request', 'reminder', 'expiry', 'absence', 'returned', 'month'));
alter table delivery.attempt drop constraint about_a_publication;
alter table delivery.attempt add constraint about_a_publication
check (publication_id is not null or what in ('request', 'reminder', 'expiry', 'absence', 'returned', 'month'));
comment on column delivery.attempt.what is 'pack, bulletin (public figures); about a question: request, reminder, expiry; absence (why there is no publication); to senders: returned (their refused rows), month (their monthly sheet).';
comment on column delivery.attempt.occasion is 'The run that asks, #2 and so on for each reminder, the day that is not published, the day or month of what goes to a sender; empty for pack and bulletin, which go out once per publication.';
comment on column delivery.attempt.official is 'Login of the official, or of the sender.';
comment on column delivery.attempt.audience_kind is 'office, department or community: whose pages they are; sender: whose rows.';
comment on column delivery.attempt.audience is 'Name of the department, community or sender; empty for the office.';
