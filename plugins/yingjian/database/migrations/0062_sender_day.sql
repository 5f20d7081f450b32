-- The mart feed_sender_daily says who sent what until when; nothing reads this view any more.
drop view if exists quality.sender_day;
