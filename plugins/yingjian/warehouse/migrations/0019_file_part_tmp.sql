create table if not exists quality.file_part (
    file_id bigint not null, sender text, day date, rows bigint not null, rows_new bigint not null
);
