-- This model computes the figures of zones, measures and data. Each CTE is one figure and has its code as name
-- (docs/decisions/figures.md).
with
-- This figure counts zones declared above low risk.
zones as (
    select
        array_to_string(communities, '、') as community,
        null as department,
        null as counted_once,
        count(*) as part,
        null as whole
    from {{ ref('risk_zone') }}
    where level in ('高', '中')
    group by communities
),

-- This figure counts zones declared high-risk.
high_zones as (
    select
        array_to_string(communities, '、') as community,
        null as department,
        null as counted_once,
        count(*) as part,
        null as whole
    from {{ ref('risk_zone') }}
    where level = '高'
    group by communities
),

-- This figure counts zones declared medium-risk.
medium_zones as (
    select
        array_to_string(communities, '、') as community,
        null as department,
        null as counted_once,
        count(*) as part,
        null as whole
    from {{ ref('risk_zone') }}
    where level = '中'
    group by communities
),

-- This figure counts zones that meet the conditions for a lower level.
lowerable_zones as (
    select
        array_to_string(communities, '、') as community,
        null as department,
        null as counted_once,
        count(*) as part,
        null as whole
    from {{ ref('risk_zone') }}
    where eligible_level is not null
    group by communities
),

-- This share counts disinfections of zones on D among those required; one place's surplus does not offset another's shortfall.
disinfection as (
    select
        array_to_string(communities, '、') as community,
        null as department,
        null as counted_once,
        sum(least(done, required)) as part,
        sum(required) as whole
    from {{ ref('disinfection_daily') }}
    where disinfection_date = as_of_date
    group by communities
),

-- This share counts disinfections of key sites on D among those required; one site's surplus does not offset another's
-- shortfall.
key_sites_disinfected as (
    select
        array_to_string(communities, '、') as community,
        department,
        null as counted_once,
        sum(least(done, required)) as part,
        sum(required) as whole
    from {{ ref('key_site_disinfection') }}
    where disinfection_date = as_of_date
    group by communities, department
),

-- This figure counts places of cases without their terminal disinfection.
terminal as (
    select
        community,
        null as department,
        null as counted_once,
        count(*) as part,
        null as whole
    from {{ ref('terminal_disinfection') }}
    where not is_done
    group by community
),

-- This share counts residents of 60 and over with a booster.
vaccination as (
    select
        community,
        null as department,
        null as counted_once,
        sum(booster) as part,
        sum(residents) as whole
    from {{ ref('vaccination_60plus') }}
    group by community
),

-- This share counts residents of 60 and over with a full course.
full_course as (
    select
        community,
        null as department,
        null as counted_once,
        sum(full_course) as part,
        sum(residents) as whole
    from {{ ref('vaccination_60plus') }}
    group by community
),

-- This share counts residents of 60 and over with at least one dose.
covered as (
    select
        community,
        null as department,
        null as counted_once,
        sum(covered) as part,
        sum(residents) as whole
    from {{ ref('vaccination_60plus') }}
    group by community
),

-- This figure counts residents of 60 and over who lack a dose.
vaccination_outstanding as (
    select
        community,
        null as department,
        null as counted_once,
        count(*) as part,
        null as whole
    from {{ ref('vaccination_outstanding') }}
    group by community
),

-- This figure counts the people missing from reserve teams.
teams_short as (
    select
        community,
        null as department,
        null as counted_once,
        sum(shortfall) as part,
        null as whole
    from {{ ref('readiness') }}
    group by community
),

-- This figure counts findings of inspections that were not put right in time.
inspections_overdue as (
    select
        community,
        null as department,
        null as counted_once,
        count(*) as part,
        null as whole
    from {{ ref('inspection_followup') }}
    where status = 'overdue'
    group by community
),

-- This figure counts the free rooms of isolation sites in their newest reports, for the town only.
rooms_free as (
    select
        null as community,
        null as department,
        null as counted_once,
        sum(rooms_free) as part,
        null as whole
    from {{ ref('isolation_capacity_daily') }}
    where is_newest
),

-- This figure counts supplies whose stock is below its floor.
supplies_short as (
    select
        null as community,
        department,
        null as counted_once,
        count(*) as part,
        null as whole
    from {{ ref('supply_daily') }}
    where is_newest and status = 'short'
    group by department
),

-- This figure counts requests that are open.
requests_open as (
    select
        community,
        department,
        null as counted_once,
        count(*) as part,
        null as whole
    from {{ ref('request_followup') }}
    where status in ('waiting', 'overdue')
    group by community, department
),

-- This figure counts open requests past their deadline.
requests_overdue as (
    select
        community,
        department,
        null as counted_once,
        count(*) as part,
        null as whole
    from {{ ref('request_followup') }}
    where status = 'overdue'
    group by community, department
),

-- This figure counts guests whom their hotel did not report in time, each counted once.
guests_overdue as (
    select distinct
        community,
        null as department,
        person_key as counted_once,
        1 as part,
        null as whole
    from {{ ref('guest_check') }}
    where status = 'overdue'
),

-- This figure counts guests who have not checked out and are on a list, each counted once.
guests_listed as (
    select distinct
        community,
        null as department,
        person_key as counted_once,
        1 as part,
        null as whole
    from {{ ref('guest_check') }}
    where is_on_list and checked_out_at is null
),

-- This figure counts coming events that lack an approval which is due.
events_lacking as (
    select
        community,
        null as department,
        null as counted_once,
        count(*) as part,
        null as whole
    from {{ ref('event_approval') }}
    where status = 'overdue' and days_until >= 0
    group by community
),

-- This figure counts trainings and drills that were not held in time, for the town only.
drills_overdue as (
    select
        null as community,
        null as department,
        null as counted_once,
        count(*) as part,
        null as whole
    from {{ ref('drill_summary') }}
    where status in ('never', 'overdue')
),

-- This share counts items of the lists that people have answered.
answered as (
    select
        community,
        null as department,
        null as counted_once,
        sum(answered) as part,
        sum(items) as whole
    from {{ ref('disposition_daily') }}
    group by community
),

-- This figure counts permanent residents in the register.
residents as (
    select
        community,
        null as department,
        null as counted_once,
        sum(residents) as part,
        null as whole
    from {{ ref('grid_population') }}
    group by community
),

-- This figure counts the floating population in the register.
floating as (
    select
        community,
        null as department,
        null as counted_once,
        sum(floating) as part,
        null as whole
    from {{ ref('grid_population') }}
    group by community
),

-- This figure counts key persons, registered or not.
key_persons as (
    select
        community,
        null as department,
        null as counted_once,
        sum(key_persons) as part,
        null as whole
    from {{ ref('grid_population') }}
    group by community
),

-- This figure counts feeds with a problem, for the town only.
feeds as (
    select
        null as community,
        null as department,
        null as counted_once,
        count(*) as part,
        null as whole
    from {{ ref('feed_quality') }}
    where status <> 'ok'
),

-- This figure counts rows that landing rejected, for the town only.
rejected as (
    select
        null as community,
        null as department,
        null as counted_once,
        sum(rows_rejected) as part,
        null as whole
    from {{ ref('feed_quality') }}
),

final as (
    {{ united([
        'zones', 'high_zones', 'medium_zones', 'lowerable_zones', 'disinfection', 'key_sites_disinfected',
        'terminal', 'vaccination', 'full_course', 'covered', 'vaccination_outstanding', 'teams_short',
        'inspections_overdue', 'rooms_free', 'supplies_short', 'requests_open', 'requests_overdue',
        'guests_overdue', 'guests_listed', 'events_lacking', 'drills_overdue', 'answered', 'residents',
        'floating', 'key_persons', 'feeds', 'rejected'
    ]) }}
)

select * from final
