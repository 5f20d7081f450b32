-- Corrections need four eyes: the database itself creates the file of a confirmed correction, and the portal cannot create one.
create or replace function portal.awaits_correction(number bigint) returns boolean
language sql stable set search_path = pg_catalog, pg_temp as $$
    select exists (
        select from quality.rejected_row where rejected_id = number and resolved_at is null
    )
    and not exists (
        select from portal.sending as sent
        left join quality.landed_file as file on file.location = sent.location
        where sent.corrects = number and file.file_id is null
    )
$$;
comment on function portal.awaits_correction is 'Whether a rejected row is open and no correction of it waits for landing.';

create or replace function portal.take_proposal() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform pg_advisory_xact_lock(hashtext('yingjian.correction'));
    select feed, sender into new.feed, new.sender from quality.rejected_row where rejected_id = new.rejected_id;
    new.proposed_at := clock_timestamp();
    if not portal.awaits_correction(new.rejected_id) or exists (
        select from portal.correction as other
        where other.rejected_id = new.rejected_id
        and not exists (select from portal.correction_answer as answer where answer.correction_id = other.correction_id)
    ) then
        raise exception 'this row awaits no correction' using errcode = 'object_not_in_prerequisite_state';
    end if;
    return new;
end
$$;
comment on function portal.take_proposal is 'Trigger: a proposal is about a row that awaits one; feed and sender are those of the row.';

create or replace function portal.take_answer() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    proposed portal.correction;
    sent bigint;
begin
    perform pg_advisory_xact_lock(hashtext('yingjian.correction'));
    select * into proposed from portal.correction where correction_id = new.correction_id;
    if proposed.login = new.login then
        raise exception 'the proposer of a correction does not answer it' using errcode = 'insufficient_privilege';
    end if;
    if not portal.awaits_correction(proposed.rejected_id) then
        raise exception 'this row awaits no correction' using errcode = 'object_not_in_prerequisite_state';
    end if;
    if new.is_agreed then
        insert into portal.sending (login, sender, feed, suffix, size_bytes, corrects, correction_id)
        values (
            new.login, proposed.sender, proposed.feed, '.csv', length(proposed.content), proposed.rejected_id,
            proposed.correction_id
        )
        returning sending_id into sent;
        insert into portal.sent_file (sending_id, content) values (sent, proposed.content);
    end if;
    return null;
end
$$;
comment on function portal.take_answer is 'Trigger: a second person answers; an agreement hands the proposed row to landing as it was proposed.';

create or replace function portal.require_confirmation() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if not exists (
        select from portal.correction_answer as answer
        where answer.correction_id = new.correction_id and answer.is_agreed and answer.login = new.login
    ) then
        raise exception 'no second person confirmed this correction' using errcode = 'insufficient_privilege';
    end if;
    return new;
end
$$;
comment on function portal.require_confirmation is 'Trigger: a file is an official''s correction only when a second person confirmed it.';

create or replace trigger proposal_is_due before insert on portal.correction
for each row execute function portal.take_proposal();
create or replace trigger answer_is_a_second_persons after insert on portal.correction_answer
for each row execute function portal.take_answer();
create or replace trigger correction_was_confirmed before insert on portal.sending
for each row when (new.correction_id is not null) execute function portal.require_confirmation();
