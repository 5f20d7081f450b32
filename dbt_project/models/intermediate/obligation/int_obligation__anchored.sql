-- Rule families 2 and 4: tests on fixed days from an anchor (annex rows 29–33, 35–37; articles 4, 6, 18, 30).
-- One row per slot: a day number whose date lies within the membership.
with memberships as (
    select * from {{ ref('int_membership__unified') }}
    where rule_family in ('anchored', 'admission')
),

days as (select * from {{ ref('int_policy__rule_days') }}),

person_days as (select * from {{ ref('int_sample__person_days') }}),

slots as (
    select
        memberships.membership_id,
        memberships.person_key,
        memberships.group_code,
        memberships.anchor_date,
        memberships.rule_text,
        coalesce(memberships.end_date, {{ no_end() }}) as end_date,
        days.day_number as slot,
        memberships.anchor_date + days.day_number - 1 + memberships.first_day_offset as due_date
    from memberships
    inner join days
        on memberships.edition_code = days.edition_code and memberships.group_code = days.group_code
    where
        memberships.anchor_date + days.day_number - 1 + memberships.first_day_offset
        between memberships.start_date and coalesce(memberships.end_date, {{ no_end() }})
),

-- A slot lasts until the next one that exists; the last until the membership ends.
windows as (
    select
        *,
        coalesce(
            lead(due_date) over (partition by membership_id order by due_date),
            case when end_date = {{ no_end() }} then end_date else end_date + 1 end
        ) as until_date
    from slots
),

evidence as {{ once() }} (
    select
        windows.*,
        (
            select min(person_days.sample_date) from person_days
            where
                person_days.person_key = windows.person_key
                and person_days.sample_date >= windows.due_date
                and person_days.sample_date < windows.until_date
        ) as satisfied_on,
        {{ lifted_state('windows.person_key', 'windows.group_code', 'windows.due_date') }} as lifted_state
    from windows
),

final as (
    select
        membership_id,
        slot,
        due_date,
        satisfied_on as sampled_on,
        lifted_state,
        until_date - 1 as last_day,
        rule_text,
        '自' || {{ chinese_date('anchor_date') }} || '起算第' || slot || '天' as evidence
    from evidence
)

select * from final
