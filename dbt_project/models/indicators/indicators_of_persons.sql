-- This model computes the figures of infections, controls and contacts. Each CTE is one figure and has its code as name
-- (docs/decisions/figures.md).
with
-- This figure counts local infections since the emergency began, for the town only.
local_cases as (
    select
        null as community,
        null as department,
        null as counted_once,
        sum(local_cases) as part,
        null as whole
    from {{ ref('town_state') }}
),

-- This figure counts positive persons who were not reported or transferred in time, each counted once.
positives_overdue as (
    select distinct
        community,
        null as department,
        person_key as counted_once,
        1 as part,
        null as whole
    from {{ ref('positive_followup') }}
    where status = 'overdue'
),

-- This figure counts positive persons who are not reported or not transferred, each counted once.
positives_open as (
    select distinct
        community,
        null as department,
        person_key as counted_once,
        1 as part,
        null as whole
    from {{ ref('positive_followup') }}
    where status in ('waiting', 'overdue')
),

-- This figure counts infections that became known on D.
new_cases as (
    select
        community,
        null as department,
        null as counted_once,
        sum(new_cases) as part,
        null as whole
    from {{ ref('case_contact_daily') }}
    where day = as_of_date
    group by community
),

-- This share counts the infections that became known on D in people already known as contacts.
new_cases_known as (
    select
        community,
        null as department,
        null as counted_once,
        sum(known_contacts) as part,
        sum(new_cases) as whole
    from {{ ref('case_contact_daily') }}
    where day = as_of_date
    group by community
),

-- This figure counts persons who were judged contacts on D, each counted once.
new_contacts as (
    select distinct
        community,
        null as department,
        person_key as counted_once,
        1 as part,
        null as whole
    from {{ ref('contact_clock') }}
    where judged_at >= as_of_date
),

-- This figure counts samples of the last three days whose results took too long, for the town only.
results_late as (
    select
        null as community,
        null as department,
        null as counted_once,
        sum(late) as part,
        null as whole
    from {{ ref('lab_turnaround_daily') }}
    where sampled_on > as_of_date - 3
),

-- This figure counts persons who never gave a sample.
never_tested as (
    select
        community,
        null as department,
        null as counted_once,
        count(*) as part,
        null as whole
    from {{ ref('never_tested') }}
    group by community
),

-- This figure counts key persons who never gave a sample.
never_tested_key as (
    select
        community,
        null as department,
        null as counted_once,
        count(*) as part,
        null as whole
    from {{ ref('never_tested') }}
    where is_key_person
    group by community
),

-- This figure counts persons under a running control, each counted once.
controlled as (
    select distinct
        community,
        department,
        person_key as counted_once,
        1 as part,
        null as whole
    from {{ ref('control') }}
    where status in ('in_isolation', 'in_monitoring')
),

-- This figure counts persons in isolation, each counted once.
isolated as (
    select distinct
        community,
        department,
        person_key as counted_once,
        1 as part,
        null as whole
    from {{ ref('control') }}
    where status = 'in_isolation'
),

-- This figure counts persons in monitoring, each counted once.
monitored as (
    select distinct
        community,
        department,
        person_key as counted_once,
        1 as part,
        null as whole
    from {{ ref('control') }}
    where status = 'in_monitoring'
),

-- This figure counts persons who may be released from a control, each counted once.
releasable as (
    select distinct
        community,
        department,
        person_key as counted_once,
        1 as part,
        null as whole
    from {{ ref('control') }}
    where status = 'awaiting_release' and may_be_released
),

-- This figure counts persons whose control is over and who may not be released, each counted once.
blocked as (
    select distinct
        community,
        department,
        person_key as counted_once,
        1 as part,
        null as whole
    from {{ ref('control') }}
    where status = 'awaiting_release' and not may_be_released
),

-- This figure counts persons who were released too early in the last seven days, each counted once.
released_early as (
    select distinct
        community,
        department,
        person_key as counted_once,
        1 as part,
        null as whole
    from {{ ref('control') }}
    where is_released_early and coalesce(released_on, isolation_released_on) > as_of_date - 7
),

-- This share counts monitored memberships with enough reports on D.
monitoring_complete as (
    select
        community,
        department,
        null as counted_once,
        count(*) filter (where done >= expected) as part,
        count(*) as whole
    from {{ ref('health_monitoring') }}
    where monitored_on = as_of_date
    group by community, department
),

-- This figure counts monitored persons with too few reports on D, each counted once in a community.
monitoring_short as (
    select distinct
        community,
        department,
        person_key || '/' || community as counted_once,
        1 as part,
        null as whole
    from {{ ref('health_monitoring') }}
    where monitored_on = as_of_date and status = 'short'
),

-- This figure counts monitored persons with a fever or a symptom on D, each counted once in a community.
fevers as (
    select distinct
        community,
        department,
        person_key || '/' || community as counted_once,
        1 as part,
        null as whole
    from {{ ref('health_monitoring') }}
    where monitored_on = as_of_date and status = 'signal'
),

-- This share counts the contacts isolated in time, among those whose deadline fell on D. A deadline at 24:00 of D still runs
-- and counts on the next day.
contacts_in_time as (
    select
        community,
        null as department,
        null as counted_once,
        count(*) filter (where status = 'in_time') as part,
        count(*) as whole
    from {{ ref('contact_clock') }}
    where deadline >= as_of_date and deadline < as_of_date + 1 and status <> 'running'
    group by community
),

-- This figure counts contacts who were not isolated in time, each counted once, without the infected.
contacts_overdue as (
    select distinct
        community,
        null as department,
        person_key as counted_once,
        1 as part,
        null as whole
    from {{ ref('contact_clock') }}
    where status = 'overdue' and not is_infected
),

-- This share counts records pushed on D that were cleared on D.
pushes_same_day as (
    select
        community,
        null as department,
        null as counted_once,
        sum(cleared_same_day) as part,
        sum(pushed) as whole
    from {{ ref('push_clearance') }}
    where push_date = as_of_date
    group by community
),

-- This figure counts pushed records that nobody has cleared.
pushes_open as (
    select
        community,
        null as department,
        null as counted_once,
        sum(open) as part,
        null as whole
    from {{ ref('push_clearance') }}
    group by community
),

final as (
    {{ united([
        'local_cases', 'positives_overdue', 'positives_open', 'new_cases', 'new_cases_known', 'new_contacts',
        'results_late', 'never_tested', 'never_tested_key', 'controlled', 'isolated', 'monitored',
        'releasable', 'blocked', 'released_early', 'monitoring_complete', 'monitoring_short', 'fevers',
        'contacts_in_time', 'contacts_overdue', 'pushes_same_day', 'pushes_open'
    ]) }}
)

select * from final
