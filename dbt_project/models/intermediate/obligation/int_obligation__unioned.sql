-- One row per obligation of any rule family, with its membership, its rule, and its status as of D. Each family says when a
-- slot is due, when it was sampled (sampled_on), what lifts it (lifted_state) and until when it can be made up (last_day). The
-- status is derived from these only here.
with memberships as (select * from {{ ref('int_membership__unified') }}),

rules as (select * from {{ ref('int_policy__rules') }}),

rolling as (select * from {{ ref('int_obligation__rolling') }}),

anchored as (select * from {{ ref('int_obligation__anchored') }}),

arrival_window as (select * from {{ ref('int_obligation__window') }}),

outbreak as (select * from {{ ref('int_obligation__outbreak') }}),

pharmacy as (select * from {{ ref('int_obligation__pharmacy') }}),

positive_tube as (select * from {{ ref('int_obligation__positive_tube') }}),

of_memberships as (
    select membership_id, slot, due_date, sampled_on, lifted_state, last_day, rule_text, evidence from rolling
    union all
    select membership_id, slot, due_date, sampled_on, lifted_state, last_day, rule_text, evidence from anchored
    union all
    select membership_id, slot, due_date, sampled_on, lifted_state, last_day, rule_text, evidence from arrival_window
    union all
    select membership_id, slot, due_date, sampled_on, lifted_state, last_day, rule_text, evidence from outbreak
),

of_events as (
    select
        membership_id, person_key, group_code, unit, community, grid, anchor_date, due_date,
        sampled_on, is_in_time, lifted_state, evidence
    from pharmacy
    union all
    select
        membership_id, person_key, group_code, unit, community, grid, anchor_date, due_date,
        sampled_on, is_in_time, lifted_state, evidence
    from positive_tube
),

unioned as (
    select
        obligations.membership_id,
        memberships.person_key,
        memberships.group_code,
        memberships.group_name,
        memberships.rule_family,
        memberships.basis,
        obligations.rule_text,
        obligations.slot,
        memberships.unit,
        memberships.department,
        memberships.community,
        memberships.grid,
        obligations.due_date,
        obligations.sampled_on,
        obligations.sampled_on <= obligations.due_date as is_in_time,
        obligations.lifted_state,
        obligations.last_day,
        obligations.evidence,
        memberships.needs_review
    from of_memberships as obligations
    inner join memberships on obligations.membership_id = memberships.membership_id
    union all
    select
        of_events.membership_id,
        of_events.person_key,
        of_events.group_code,
        rules.group_name,
        rules.rule_family,
        rules.basis,
        rules.rule_text,
        1 as slot,
        of_events.unit,
        rules.departments as department,
        of_events.community,
        of_events.grid,
        of_events.due_date,
        of_events.sampled_on,
        of_events.is_in_time,
        of_events.lifted_state,
        'infinity'::date as last_day,
        of_events.evidence,
        false as needs_review
    from of_events
    inner join rules
        on
            of_events.group_code = rules.group_code
            and of_events.anchor_date between rules.effective_from and rules.effective_to
    where rules.rule_family <> 'none'
),

final as (
    select
        *,
        case
            when lifted_state is not null then lifted_state
            when is_in_time then 'satisfied'
            when sampled_on is not null then 'satisfied_late'
            when due_date > {{ as_of_date() }} then 'upcoming'
            when last_day >= {{ as_of_date() }} then 'overdue'
            else 'missed'
        end as status,
        case when lifted_state is null then sampled_on end as satisfied_on
    from unioned
)

select * from final
