-- This mart has one row per item that is on a list on D, with the newest answer about it (policy semantics, "Disposition").
-- Only answers from some days before the due date onwards count, because a rolling obligation keeps its identifier from one due
-- date to the next. To an item without a due date, every answer counts.
{{ config(indexes=[{'columns': ['list', 'item_id'], 'unique': true}]) }}

with answers as (select * from {{ ref('int_list__answers') }}),

allowed as (
    select
        {{ parameter('disposition_days_before_due', as_of_date()) }} as days_before
),

items as (
    select
        'overdue' as list,
        obligation_id as item_id,
        person_key,
        department,
        community,
        grid,
        due_date
    from {{ ref('overdue') }}
    union all
    select
        'due' as list,
        obligation_id as item_id,
        person_key,
        department,
        community,
        grid,
        due_date
    from {{ ref('due') }}
    union all
    select
        'positive_followup' as list,
        positive_id as item_id,
        person_key,
        '' as department,
        community,
        grid,
        due_at::date as due_date
    from {{ ref('positive_followup') }}
    where status in ('waiting', 'overdue')
    union all
    select
        'contact_clock' as list,
        contact_key as item_id,
        person_key,
        '' as department,
        community,
        grid,
        deadline::date as due_date
    from {{ ref('contact_clock') }}
    where status in ('running', 'overdue') and not is_infected
    union all
    select
        'pool_followup' as list,
        membership_id as item_id,
        person_key,
        '' as department,
        community,
        grid,
        due_at::date as due_date
    from {{ ref('pool_followup') }}
    where status in ('waiting', 'overdue')
    union all
    select
        'push_outstanding' as list,
        feed || ':' || record_key as item_id,
        person_key,
        '' as department,
        community,
        '' as grid,
        pushed_at::date as due_date
    from {{ ref('push_outstanding') }}
    union all
    select
        'pharmacy_followup' as list,
        purchase_id as item_id,
        person_key,
        '' as department,
        community,
        grid,
        test_due_date as due_date
    from {{ ref('pharmacy_followup') }}
    where status in ('upcoming', 'overdue')
    union all
    select
        'control' as list,
        membership_id as item_id,
        person_key,
        department,
        community,
        grid,
        ends_on as due_date
    from {{ ref('control') }}
    where
        status = 'awaiting_release'
        or (
            status = 'released_early'
            and coalesce(released_on, isolation_released_on) > as_of_date - {{ parameter('list_shown_days', as_of_date()) }}
        )
    union all
    select
        'health_monitoring' as list,
        membership_id || '/' || monitored_on as item_id,
        person_key,
        department,
        community,
        grid,
        monitored_on as due_date
    from {{ ref('health_monitoring') }}
    where monitored_on = as_of_date and status in ('signal', 'short')
    union all
    select
        'screening_outstanding' as list,
        round_id || '/' || person_key as item_id,
        person_key,
        '' as department,
        community,
        grid,
        deadline::date as due_date
    from {{ ref('screening_outstanding') }}
    where not is_infected
    union all
    select
        'zone_blocker' as list,
        zone_id || '/' || person_key as item_id,
        person_key,
        '' as department,
        community,
        grid,
        as_of_date as due_date
    from {{ ref('zone_blocker') }}
    union all
    select
        'signal' as list,
        signal_id as item_id,
        person_key,
        '' as department,
        community,
        grid,
        last_on as due_date
    from {{ ref('signal') }}
    where last_on > as_of_date - {{ parameter('list_shown_days', as_of_date()) }}
    union all
    select
        'guest_check' as list,
        guest_id as item_id,
        person_key,
        '' as department,
        community,
        '' as grid,
        due_at::date as due_date
    from {{ ref('guest_check') }}
    where
        status in ('waiting', 'overdue')
        or (
            is_on_list
            and coalesce(checked_out_at::date, as_of_date) > as_of_date - {{ parameter('list_shown_days', as_of_date()) }}
        )
    union all
    select
        'inspection_followup' as list,
        inspection_id as item_id,
        null::text as person_key,
        '' as department,
        community,
        '' as grid,
        due_on as due_date
    from {{ ref('inspection_followup') }}
    where status in ('waiting', 'overdue')
    union all
    select
        'request_followup' as list,
        request_id as item_id,
        null::text as person_key,
        department,
        community,
        grid,
        due_at::date as due_date
    from {{ ref('request_followup') }}
    where status in ('waiting', 'overdue')
    union all
    select
        'event_approval' as list,
        event_id as item_id,
        null::text as person_key,
        '' as department,
        community,
        '' as grid,
        due_on as due_date
    from {{ ref('event_approval') }}
    where status in ('waiting', 'overdue') and held_on >= as_of_date
    union all
    select
        'missing_departure' as list,
        membership_id as item_id,
        person_key,
        department,
        community,
        grid,
        ended_on as due_date
    from {{ ref('missing_departure') }}
    union all
    select
        'vaccination_outstanding' as list,
        person_key as item_id,
        person_key,
        '' as department,
        community,
        grid,
        since as due_date
    from {{ ref('vaccination_outstanding') }}
),

-- Answers refer to the kind of an item: obligations are on two lists, every other list has its own kind.
kinds as (
    select
        *,
        case when list in ('overdue', 'due') then 'obligation' else list end as item_kind
    from items
),

-- The latest answer counts; between answers of the same moment, the one written last.
answered as (
    select
        kinds.list,
        kinds.item_id,
        count(*)::int as answers,
        {{ newest_answer('answers') }} as result,
        max(answers.handled_at) as handled_at
    from kinds
    cross join allowed
    inner join answers
        on
            kinds.item_kind = answers.item_kind
            and kinds.item_id = answers.item_id
            and coalesce(answers.handled_at >= kinds.due_date - allowed.days_before, true)
    group by kinds.list, kinds.item_id
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        items.list,
        items.item_id,
        items.person_key,
        items.department,
        items.community,
        items.grid,
        items.due_date,
        coalesce(answered.answers, 0) as answers,
        answered.result,
        answered.handled_at
    from items
    left join answered on items.list = answered.list and items.item_id = answered.item_id
)

select * from final
