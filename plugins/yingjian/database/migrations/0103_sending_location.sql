-- The name by which landing knows a file of the portal stands in one place, for every query that joins the two.
alter table portal.sending add column location text generated always as ('portal:sending/' || sending_id::text) stored;
comment on column portal.sending.location is 'Where landing finds the file (quality.landed_file.location).';
