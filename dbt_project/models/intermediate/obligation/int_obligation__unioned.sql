-- Every obligation of every rule family, with what its membership and its rule say of it.
with memberships as (select * from {{ ref('int_membership__unified') }}),

rules as (select * from {{ ref('int_policy__rules') }}),

rolling as (select * from {{ ref('int_obligation__rolling') }}),

anchored as (select * from {{ ref('int_obligation__anchored') }}),

arrival_window as (select * from {{ ref('int_obligation__window') }}),

outbreak as (select * from {{ ref('int_obligation__outbreak') }}),

pharmacy as (select * from {{ ref('int_obligation__pharmacy') }}),

positive_tube as (select * from {{ ref('int_obligation__positive_tube') }}),

of_memberships as (
    select membership_id, slot, due_date, status, satisfied_on, rule_text, evidence from rolling
    union all
    select membership_id, slot, due_date, status, satisfied_on, rule_text, evidence from anchored
    union all
    select membership_id, slot, due_date, status, satisfied_on, rule_text, evidence from arrival_window
    union all
    select membership_id, slot, due_date, status, satisfied_on, rule_text, evidence from outbreak
),

of_events as (
    select
        membership_id, person_key, group_code, unit, community, grid, anchor_date, due_date, status, satisfied_on, evidence
    from pharmacy
    union all
    select
        membership_id, person_key, group_code, unit, community, grid, anchor_date, due_date, status, satisfied_on, evidence
    from positive_tube
),

final as (
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
        obligations.status,
        obligations.satisfied_on,
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
        of_events.status,
        of_events.satisfied_on,
        of_events.evidence,
        false as needs_review
    from of_events
    inner join rules
        on
            of_events.group_code = rules.group_code
            and of_events.anchor_date between rules.effective_from and rules.effective_to
    where rules.rule_family <> 'none'
)

select * from final
