-- This mart has one row per membership whose newest answer says that the person has moved away, is not in the area, or is
-- entered wrongly (policy semantics, "Disposition"). Staff find such errors while they work through the lists.
with memberships as (
    select * from {{ ref('int_membership__unified') }}
    where coalesce(end_date, 'infinity'::date) >= {{ as_of_date() }}
),

merged as (select * from {{ ref('int_membership__merged') }}),

-- Only items that identify a membership count: obligations, contacts, days of monitoring, and memberships themselves. Items of
-- other lists come from other feeds, and their keys can collide with those of the roster.
dispositions as (
    select
        *,
        case
            when item_kind = 'obligation' then (regexp_match(item_id, '^(.+)/[^/]+/([0-9]+|rolling)$'))[1]
            when item_kind = 'health_monitoring' then (regexp_match(item_id, '^(.+)/([0-9]{4}-[0-9]{2}-[0-9]{2})$'))[1]
            when item_kind = 'contact_clock' then 'contacts:' || item_id
            when item_kind in ('control', 'missing_departure', 'push_outstanding', 'unscheduled') then item_id
        end as record_key
    from {{ ref('int_list__answers') }}
),

obligations as (
    select
        {{ obligation_id() }} as item_id,
        due_date
    from {{ ref('int_obligation__unioned') }}
),

answers as (
    select
        memberships.*,
        dispositions.disposition_key,
        dispositions.result,
        dispositions.handled_at,
        dispositions.updated_at,
        obligations.due_date,
        -- An answer may refer to an item that no longer exists on D. An obligation of a merged record must still exist, because
        -- it tells into which membership the record was merged.
        dispositions.item_kind <> 'obligation' or dispositions.record_key = memberships.membership_id as may_be_gone
    from dispositions
    inner join merged on dispositions.record_key = merged.record_key
    inner join memberships on merged.membership_id = memberships.membership_id
    -- An obligation of a merged record is looked up under the membership that it was merged into.
    left join obligations
        on
            dispositions.item_kind = 'obligation'
            and memberships.membership_id || substr(dispositions.item_id, char_length(dispositions.record_key) + 1)
            = obligations.item_id
),

-- An answer from long before the due date refers to an earlier due date of the same item.
counting as (
    select * from answers
    where
        (due_date is null and may_be_gone)
        or handled_at >= due_date - {{ parameter('disposition_days_before_due', as_of_date()) }}
),

newest as (
    select *
    from (
        select distinct on (counting.membership_id) * from counting
        order by counting.membership_id, {{ newest_answer_first('counting') }}
    )
        as counted
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        membership_id,
        person_key,
        group_code,
        group_name,
        result,
        handled_at as said_at,
        unit,
        department,
        community,
        grid
    from newest
    where result in ('已搬离', '不在辖区', '信息有误')
)

select * from final
