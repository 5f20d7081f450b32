-- One row per obligation that differs from the last publication, for the days up to its business date. A change by the passing
-- of time alone (a slot that fell due, a membership that ended since) is no restatement.
with base as (
    select
        publication_id,
        as_of_date as base_date
    from {{ ref('int_publication__before') }}
),

published as (select * from {{ ref('int_obligation__published') }}),

present as (select * from {{ ref('int_obligation__unioned') }}),

identified as (
    select
        *,
        {{ obligation_id() }} as obligation_id
    from present
),

memberships as (select * from {{ ref('int_membership__unified') }}),

persons as (select * from {{ ref('int_sample__person_dates') }}),

compared as (
    select
        base.base_date,
        base.publication_id as base_publication_id,
        coalesce(identified.obligation_id, published.obligation_id) as obligation_id,
        coalesce(identified.group_code, published.group_code) as group_code,
        coalesce(identified.slot, published.slot) as slot,
        published.status as from_status,
        identified.status as to_status,
        coalesce(identified.due_date, published.due_date) as due_date,
        published.obligation_id is null as is_new,
        identified.obligation_id is null as is_gone,
        memberships.membership_id is null as has_no_membership,
        memberships.start_date,
        memberships.end_date,
        published.due_date as from_due_date,
        published.satisfied_on as from_satisfied_on,
        identified.satisfied_on as to_satisfied_on,
        published.last_sample_date as from_last_sample_date,
        {{ last_date('persons.sample_dates', 'base.base_date') }} as to_last_sample_date,
        coalesce(published.status in ('exempt', 'void'), false) as was_lifted,
        coalesce(identified.status in ('exempt', 'void'), false) as is_lifted
    from published
    full outer join identified on published.obligation_id = identified.obligation_id
    cross join base
    left join memberships on coalesce(identified.membership_id, published.membership_id) = memberships.membership_id
    left join persons on coalesce(identified.person_key, published.person_key) = persons.person_key
),

explained as (
    select
        *,
        case
            when is_new and due_date <= base_date and coalesce(start_date <= base_date, true) then 'record_late'
            when is_new then null
            when is_gone and slot is not null then 'record_corrected'
            when is_gone and (has_no_membership or end_date < base_date) then 'record_corrected'
            when is_gone then null
            when slot is not null and due_date <= base_date and was_lifted <> is_lifted then 'lift_changed'
            when slot is not null and (due_date is distinct from from_due_date) then 'record_corrected'
            when slot is not null and to_satisfied_on <= base_date and from_satisfied_on is null then 'sample_late'
            when slot is not null and to_satisfied_on < from_satisfied_on then 'sample_late'
            when slot is not null and from_satisfied_on is not null and (to_satisfied_on is distinct from from_satisfied_on)
                and not is_lifted then 'sample_withdrawn'
            when slot is not null then null
            when to_last_sample_date > coalesce(from_last_sample_date, '-infinity'::date) then 'sample_late'
            when (to_last_sample_date is distinct from from_last_sample_date) then 'sample_withdrawn'
        end as reason_code
    from compared
),

final as (
    select
        obligation_id,
        base_publication_id,
        case when slot is null then base_date else least(due_date, base_date) end as restated_date,
        group_code,
        reason_code,
        coalesce(from_status, 'none') as from_status,
        coalesce(to_status, 'none') as to_status
    from explained
    where reason_code is not null
)

select * from final
