-- A membership is in doubt when the newest answer to any of its items says that the person has moved away, is not here, or
-- is entered wrongly (policy semantics, "Disposition"). People find that out while they go through the lists.
with memberships as (
    select * from {{ ref('int_membership__unified') }}
    where coalesce(end_date, 'infinity'::date) >= {{ as_of_date() }}
),

merged as (select * from {{ ref('int_membership__merged') }}),

-- An item is an obligation, a contact, a day of monitoring, or a membership itself.
dispositions as (
    select
        *,
        case
            when {{ comparable_text('list_name') }} = 'contact_clock' then 'contacts:' || trim(item_key)
            else coalesce(
                (regexp_match(item_key, '^(.+)/[^/]+/([0-9]+|rolling)$'))[1],
                (regexp_match(item_key, '^(.+)/([0-9]{4}-[0-9]{2}-[0-9]{2})$'))[1],
                trim(item_key)
            )
        end as record_key
    from {{ ref('stg_platform__dispositions') }}
    where handled_at < {{ as_of_date() }} + 1
),

obligations as (
    select
        {{ obligation_id() }} as item_key,
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
        obligations.due_date
    from dispositions
    inner join merged on dispositions.record_key = merged.record_key
    inner join memberships on merged.membership_id = memberships.membership_id
    left join obligations on dispositions.item_key = obligations.item_key
),

-- An answer of long before the item fell due is about an earlier one.
counting as (
    select * from answers
    where
        due_date is null
        or handled_at >= due_date - {{ parameter('disposition_days_before_due', as_of_date()) }}
),

newest as (
    select *
    from (
        select distinct on (membership_id) * from counting
        order by membership_id, handled_at desc, updated_at desc, disposition_key collate "C"
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
