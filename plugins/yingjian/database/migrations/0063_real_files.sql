-- A national list that lost nearly all its areas waits for a decision, and a file may change its columns on the way.
alter table quality.layout_decision drop constraint layout_decision_kind_check;
alter table quality.layout_decision
add constraint layout_decision_kind_check check (kind in ('rename', 'absent', 'meaning', 'list'));
comment on column quality.layout_decision.kind is 'rename: header is a name of the column; absent: files may lack the column; meaning: odd values are judged row by row; list: the national list of this hour is believed.';
comment on column quality.layout_decision.source_column is 'The column of the feed, as the specification names it; of a list its hour, as 2022-11-26 08:00.';
comment on column quality.landed_file.suspicions is 'Why it may not be whole: cut_row (its last row has too few cells, or a page has no end), no_newline (its last line has no end, and those of its senders'' files before had one), few_rows (less of a sender''s day than the seed feed lets pass as usual, until another file brings the rest), other_columns (many rows with the same other number of cells), old_dates (dates of 1900 or 1904, which empty cells become), vanished (a full export without some records of its sender that earlier files had).';
