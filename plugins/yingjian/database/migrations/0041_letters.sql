-- A message need not be about a publication: one asks whether to publish, another says why there is none.
alter table delivery.attempt alter column publication_id drop not null;
alter table delivery.attempt drop constraint attempt_what_check;
alter table delivery.attempt add constraint attempt_what_check
check (what in ('pack', 'bulletin', 'request', 'reminder', 'expiry', 'absence'));
alter table delivery.attempt add constraint about_a_publication
check (publication_id is not null or what in ('request', 'reminder', 'expiry', 'absence'));
alter table delivery.attempt drop constraint once_per_official;
alter table delivery.attempt add constraint once_per_official
unique nulls not distinct (publication_id, what, occasion, official, channel, number);
drop index delivery.attempt_once_per_target;
create unique index attempt_once_per_target
on delivery.attempt (publication_id, what, occasion, channel, target, audience_kind, audience)
nulls not distinct where state not in ('shared', 'cancelled');

comment on table delivery.attempt is 'One row per message, official and channel: what was to be sent, and what became of it.';
comment on column delivery.attempt.publication_id is 'The publication that is sent or asked about; empty for a message about a day that is not published.';
comment on column delivery.attempt.what is 'pack, bulletin (public figures); about a question: request, reminder, expiry; absence (why there is no publication).';
comment on column delivery.attempt.occasion is 'The run that asks, #2 and so on for each reminder, or the day that is not published; empty for pack and bulletin, which go out once per publication.';
