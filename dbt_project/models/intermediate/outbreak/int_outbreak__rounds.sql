-- Articles 10 and 11, annex rows 23 to 28: one row per membership and outbreak of its place has the day by which its full round
-- is due, under the edition in force when the outbreak began.
with memberships as (
    select * from {{ ref('int_membership__unified') }} where rule_family = 'outbreak'
),

outbreaks as (select * from {{ ref('int_outbreak__place_periods') }}),

durations as materialized (
    select
        start_date,
        {{ parameter('full_round_days', 'start_date') }} as full_round_days
    from (select distinct start_date from outbreaks) as starts
)

select
    memberships.membership_id,
    memberships.person_key,
    memberships.group_code,
    memberships.group_name,
    memberships.unit,
    memberships.department,
    memberships.community,
    memberships.grid,
    memberships.basis,
    memberships.rule_text,
    memberships.start_date as member_from,
    coalesce(memberships.end_date, 'infinity'::date) as member_to,
    outbreaks.outbreak_number,
    outbreaks.outbreak_id,
    outbreaks.started_at,
    outbreaks.start_date,
    outbreaks.end_date,
    outbreaks.start_date + durations.full_round_days - 1 as due_date
from memberships
inner join outbreaks
    on memberships.community = outbreaks.community and memberships.grid = outbreaks.grid
inner join durations on outbreaks.start_date = durations.start_date
where
    coalesce(memberships.end_date, 'infinity'::date) >= outbreaks.start_date
    and memberships.start_date <= coalesce(outbreaks.end_date, 'infinity'::date)
