-- Officials choose in the portal what they are told, over which channel, and when not.
create table portal.notification (
    login text primary key,
    wants text[] not null,
    quiet_from time not null default '22:00',
    quiet_to time not null default '07:00',
    hours_before int not null default 2 check (hours_before between 1 and 12),
    chosen_at timestamptz not null default clock_timestamp()
);
comment on table portal.notification is 'One row per official who chose what to be told; who did not has the defaults.';
comment on column portal.notification.login is 'Whose choice it is, by the login of officials.yml.';
comment on column portal.notification.wants is 'MESSAGE:CHANNEL for each wanted one; messages are report, focus and clock, channels mail, wecom and dingtalk.';
comment on column portal.notification.quiet_from is 'When the quiet hours begin, Asia/Shanghai; the same as quiet_to: there are none.';
comment on column portal.notification.quiet_to is 'When the quiet hours end.';
comment on column portal.notification.hours_before is 'How many hours before a deadline the reminder is sent.';
comment on column portal.notification.chosen_at is 'When it was chosen last.';
alter table portal.notification enable row level security;
create policy own_choice on portal.notification to portal
using (login = current_setting('yingjian.login', true)) with check (login = current_setting('yingjian.login', true));
create policy delivery_reads on portal.notification for select to reporter using (true);

create table delivery.reminder (
    official text not null,
    list text not null,
    clock bytea not null,
    community text not null,
    deadline timestamp not null,
    occasion text not null,
    reminded_at timestamptz not null default clock_timestamp(),
    primary key (official, list, clock)
);
create index reminder_of on delivery.reminder (official, occasion);
comment on table delivery.reminder is 'One row per running clock of which an official was reminded; names no person. Rows go a week after the deadline.';
comment on column delivery.reminder.official is 'Login of the official.';
comment on column delivery.reminder.list is 'The list on which the item stands, by the name of its mart.';
comment on column delivery.reminder.clock is 'Digest of the item and its deadline.';
comment on column delivery.reminder.community is 'The community of the item; empty where none is known.';
comment on column delivery.reminder.deadline is 'When the clock runs out, Asia/Shanghai.';
comment on column delivery.reminder.occasion is 'The occasion of the attempt (delivery.attempt) that tells it.';
comment on column delivery.reminder.reminded_at is 'When the reminder was planned.';

alter table delivery.attempt drop constraint attempt_what_check;
alter table delivery.attempt add constraint attempt_what_check
check (what in ('pack', 'bulletin', 'request', 'reminder', 'expiry', 'absence', 'returned', 'month', 'clock'));
alter table delivery.attempt drop constraint about_a_publication;
alter table delivery.attempt add constraint about_a_publication
check (publication_id is not null or what in ('request', 'reminder', 'expiry', 'absence', 'returned', 'month', 'clock'));
comment on column delivery.attempt.what is 'pack, bulletin (public figures); about a question: request, reminder, expiry; absence (why there is no publication); to senders: returned (their refused rows), month (their monthly sheet); clock (deadlines that come near).';
