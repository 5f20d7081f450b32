-- Articles 18 and 21: one row per obligation and run of overdue days shows what ended the run. A slot knows its own first and
-- last overdue day. A rolling duty knows only its current due date, so its closed runs are carried forward from the previous
-- publication.
{{ config(indexes=[{'columns': ['from_date']}]) }}

with obligations as (select * from {{ ref('obligation') }}),

before as (
    select * from {{ ref('stg_published__overdue_episodes') }}
    where publication_id = (select publication_id from {{ ref('int_publication__before') }})
),

allowed as (
    select {{ parameter('overdue_episode_days', as_of_date()) }} as shown_days
),

-- A rolling duty of several tests can stay overdue after a sample. A sample ends a run only if it was taken after the run
-- began; if an older sample arrives late, the run ends as a correction.
open_runs as (
    select
        before.*,
        obligations.person_key,
        obligations.status,
        obligations.satisfied_on,
        obligations.slot is null as is_rolling,
        obligations.status = 'overdue' and obligations.due_date > before.from_date as fell_due_again,
        obligations.due_date as due_again_on,
        case
            when obligations.slot is null and obligations.last_sample_date > before.from_date
                then obligations.last_sample_date
        end as sampled_since
    from before
    left join obligations on before.obligation_id = obligations.obligation_id
    where before.to_date is null
),

lifted as (
    select
        open_runs.obligation_id,
        min(lifts.from_date) as lifted_on
    from open_runs
    inner join {{ ref('int_lift__intervals') }} as lifts
        on
            open_runs.person_key = lifts.person_key
            and (lifts.group_code is null or open_runs.group_code = lifts.group_code)
            and open_runs.from_date < lifts.from_date
            and open_runs.due_again_on > lifts.from_date
    where open_runs.fell_due_again and open_runs.is_rolling
    group by open_runs.obligation_id
),

-- A run ends when the obligation is no longer overdue or fell due only after the previous publication's day. It also ends when
-- a late-arriving sample or lift lies between the run's first day and the day on which the duty fell due again, and when the
-- obligation fell due later than was known and no sample since the run's first day is the reason.
runs as (
    select
        open_runs.*,
        lifted.lifted_on,
        open_runs.status = 'overdue'
        and open_runs.due_again_on <= open_runs.as_of_date
        and not (
            open_runs.fell_due_again
            and (coalesce(open_runs.sampled_since < open_runs.due_again_on, true) or lifted.lifted_on is not null)
        ) as goes_on
    from open_runs
    left join lifted on open_runs.obligation_id = lifted.obligation_id
),

present as (
    select
        obligations.*,
        runs.from_date as from_date_before
    from obligations
    left join runs on obligations.obligation_id = runs.obligation_id and runs.goes_on
    where obligations.status = 'overdue'
),

ended as (
    select
        *,
        coalesce(satisfied_on, sampled_since) as sampled_on
    from runs
    where goes_on is not true
),

slots as (
    select
        obligations.*,
        case when obligations.status = 'missed' then planned.last_day else obligations.satisfied_on - 1 end as to_date,
        case when obligations.status = 'missed' then 'missed' else 'sample' end as cured_by
    from obligations
    inner join {{ ref('int_obligation__unioned') }} as planned
        on
            obligations.membership_id = planned.membership_id
            and obligations.group_code = planned.group_code
            and obligations.slot = planned.slot
    where obligations.status in ('satisfied_late', 'missed')
),

united as (
    select
        obligation_id,
        group_code,
        unit_key,
        department,
        community,
        grid,
        least(due_date, from_date_before) as from_date,
        null::date as to_date,
        '' as cured_by,
        false as is_of_slot
    from present
    union all
    select
        obligation_id,
        group_code,
        unit_key,
        department,
        community,
        grid,
        from_date,
        greatest(
            from_date,
            coalesce(sampled_on - 1, lifted_on - 1, case when fell_due_again then due_again_on - 1 end, as_of_date)
        ) as to_date,
        case
            when status is null then 'ended'
            when status in ('exempt', 'void') then 'lifted'
            when status = 'missed' then 'missed'
            when sampled_on is not null then 'sample'
            when lifted_on is not null then 'lifted'
            else 'corrected'
        end as cured_by,
        false as is_of_slot
    from ended
    union all
    select
        slots.obligation_id,
        slots.group_code,
        slots.unit_key,
        slots.department,
        slots.community,
        slots.grid,
        slots.due_date as from_date,
        slots.to_date,
        slots.cured_by,
        true as is_of_slot
    from slots
    cross join allowed
    where slots.to_date >= slots.due_date and slots.to_date > {{ as_of_date() }} - allowed.shown_days
    union all
    select
        before.obligation_id,
        before.group_code,
        before.unit_key,
        before.department,
        before.community,
        before.grid,
        before.from_date,
        before.to_date,
        before.cured_by,
        false as is_of_slot
    from before
    cross join allowed
    where before.to_date > {{ as_of_date() }} - allowed.shown_days
),

-- A run computed from a slot takes precedence over the published one.
newest as (
    select distinct on (obligation_id, from_date) *
    from united
    order by obligation_id, from_date, is_of_slot desc, to_date desc nulls last
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        obligation_id,
        group_code,
        unit_key,
        department,
        community,
        grid,
        from_date,
        to_date,
        ((coalesce(to_date, {{ as_of_date() }}) - from_date) + 1)::int as days,
        cured_by
    from newest
)

select * from final
