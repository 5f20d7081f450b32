-- The watch notes the end of the audit trail at another place each hour, and here when it did.
create table operations.anchor (
    anchor_id bigint generated always as identity primary key,
    anchored_at timestamptz not null,
    event_id bigint not null
);
comment on table operations.anchor is 'One row per time that the end of the audit trail was noted at another place.';
comment on column operations.anchor.anchor_id is 'Number of the note, rising with time.';
comment on column operations.anchor.anchored_at is 'When the other place took it.';
comment on column operations.anchor.event_id is 'The last event then; 0 before the first.';
