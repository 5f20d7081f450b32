-- Articles 18 and 21: each run of days on which an obligation was overdue, and what ended it. A slot says itself from when
-- to when it was; a rolling duty shows only its present due date, so its runs that are over are carried on from the
-- publication before.
{{ config(indexes=[{'columns': ['from_date']}]) }}

with obligations as (select * from {{ ref('obligation') }}),

before as (
    select * from {{ ref('stg_published__overdue_episodes') }}
    where publication_id = (select publication_id from {{ ref('int_publication__before') }})
),

allowed as (
    select {{ parameter('overdue_episode_days', as_of_date()) }} as shown_days
),

-- An obligation that fell due after the day before is overdue anew: what was open until then has ended.
present as (
    select
        obligations.*,
        before.from_date as from_date_before,
        before.obligation_id is not null as goes_on
    from obligations
    left join before
        on
            obligations.obligation_id = before.obligation_id
            and before.to_date is null
            and obligations.due_date <= before.as_of_date
    where obligations.status = 'overdue'
),

ended as (
    select
        before.*,
        obligations.status,
        obligations.satisfied_on,
        -- A duty of several tests goes on being overdue after a sample; a sample of a day that was known before is a
        -- correction.
        coalesce(
            obligations.satisfied_on,
            case
                when obligations.slot is null and obligations.last_sample_date > before.from_date
                    then obligations.last_sample_date
            end
        ) as sampled_on
    from before
    left join obligations on before.obligation_id = obligations.obligation_id
    left join present on before.obligation_id = present.obligation_id and present.goes_on
    where before.to_date is null and present.obligation_id is null
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
        greatest(from_date, coalesce(sampled_on - 1, as_of_date)) as to_date,
        case
            when status is null then 'ended'
            when status in ('exempt', 'void') then 'lifted'
            when status = 'missed' then 'missed'
            when sampled_on is not null then 'sample'
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

-- A run that a slot says itself goes before one that was published.
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
