-- Rule families 2 and 4: tests on fixed days from an anchor (annex rows 29–33, 35–37; articles 4, 6, 18, 30; A07 where it names
-- days). One row per slot: each day number whose date lies within the membership, and slot 0, the first test of a person who
-- enters the control after its anchor on a day without a test.
with memberships as (
    select * from {{ ref('int_membership__unified') }}
    where rule_family in ('anchored', 'admission')
),

person_days as (select * from {{ ref('int_sample__person_days') }}),

named_days as (
    select
        membership_id,
        unnest({{ split_list('day_numbers') }}) as day_number
    from memberships
    where day_numbers is not null
),

-- Day numbers come from the rule, or from the record if it names its own.
days as (
    select
        memberships.membership_id,
        rule_days.day_number
    from memberships
    inner join {{ ref('int_policy__rule_days') }} as rule_days
        on memberships.edition_code = rule_days.edition_code and memberships.group_code = rule_days.group_code
    union all
    select distinct
        membership_id,
        day_number::int as day_number
    from named_days
),

scheduled as (
    select
        memberships.membership_id,
        memberships.person_key,
        memberships.group_code,
        memberships.anchor_date,
        memberships.start_date,
        memberships.rule_text,
        memberships.first_test,
        memberships.late_first_test,
        coalesce(memberships.end_date, 'infinity'::date) as end_date,
        days.day_number as slot,
        memberships.anchor_date + days.day_number - 1 + memberships.first_day_offset as due_date
    from memberships
    inner join days on memberships.membership_id = days.membership_id
),

-- Article 30 counts the days in isolation: whoever enters between two of them is tested on entering.
entering as (
    select
        membership_id,
        person_key,
        group_code,
        anchor_date,
        start_date,
        rule_text,
        end_date
    from scheduled
    where first_test and start_date > anchor_date
    group by membership_id, person_key, group_code, anchor_date, start_date, rule_text, end_date
    having
        (max(due_date) >= start_date or bool_or(late_first_test))
        and not bool_or(due_date = start_date)
),

slots as (
    select
        membership_id,
        person_key,
        group_code,
        anchor_date,
        start_date,
        rule_text,
        end_date,
        slot,
        due_date
    from scheduled
    union all
    select
        membership_id,
        person_key,
        group_code,
        anchor_date,
        start_date,
        rule_text,
        end_date,
        0 as slot,
        start_date as due_date
    from entering
),

-- A slot stays open until the next existing slot; the last one, until the membership ends.
windows as (
    select
        *,
        coalesce(
            lead(due_date) over (partition by membership_id order by due_date),
            case when end_date = 'infinity'::date then end_date else end_date + 1 end
        ) as until_date
    from slots
    where due_date between start_date and end_date
),

evidence as materialized (
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
        '自' || {{ chinese_date('anchor_date') }} || '起算'
        || case when slot = 0 then '，' || {{ chinese_date('start_date') }} || '纳入管控首检' else '第' || slot || '天' end
            as evidence
    from evidence
)

select * from final
