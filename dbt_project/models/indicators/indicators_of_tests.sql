-- This model computes the figures of tests that are due. Each CTE is one figure and has its code as name
-- (docs/decisions/figures.md).
with
-- This figure counts memberships with an overdue obligation, without the follow-up tests P19 and P24.
overdue as (
    select
        community,
        department,
        null as counted_once,
        sum(overdue) as part,
        null as whole
    from {{ ref('compliance_daily') }}
    where is_headline
    group by community, department
),

-- This share counts memberships without an overdue obligation among those required, without the follow-up tests P19 and P24.
compliance as (
    select
        community,
        department,
        null as counted_once,
        sum(compliant) as part,
        sum(required) as whole
    from {{ ref('compliance_daily') }}
    where is_headline
    group by community, department
),

-- This figure counts memberships with an obligation standing on D, without the follow-up tests P19 and P24.
required as (
    select
        community,
        department,
        null as counted_once,
        sum(required) as part,
        null as whole
    from {{ ref('compliance_daily') }}
    where is_headline
    group by community, department
),

-- This figure counts memberships whose obligations are all lifted, without the follow-up tests P19 and P24.
exempt as (
    select
        community,
        department,
        null as counted_once,
        sum(exempt) as part,
        null as whole
    from {{ ref('compliance_daily') }}
    where is_headline
    group by community, department
),

-- This figure counts persons with an overdue obligation, each counted once.
overdue_persons as (
    select distinct
        community,
        department,
        person_key as counted_once,
        1 as part,
        null as whole
    from {{ ref('overdue') }}
),

-- This figure counts obligations that are overdue.
overdue_items as (
    select
        community,
        department,
        null as counted_once,
        count(*) as part,
        null as whole
    from {{ ref('overdue') }}
    group by community, department
),

-- This figure counts obligations of the last seven days that can no longer be made up.
missed as (
    select
        community,
        department,
        null as counted_once,
        count(*) as part,
        null as whole
    from {{ ref('obligation') }}
    where status = 'missed' and due_date > {{ as_of_date() }} - 7
    group by community, department
),

-- This figure counts open obligations that are not due yet.
upcoming as (
    select
        community,
        department,
        null as counted_once,
        count(*) as part,
        null as whole
    from {{ ref('obligation') }}
    where status = 'upcoming'
    group by community, department
),

-- This figure counts open obligations whose membership a person has to confirm.
needs_review as (
    select
        community,
        department,
        null as counted_once,
        count(*) as part,
        null as whole
    from {{ ref('obligation') }}
    where needs_review and status in ('upcoming', 'overdue')
    group by community, department
),

-- This figure counts memberships for which no frequency was set.
unscheduled as (
    select
        community,
        department,
        null as counted_once,
        count(*) as part,
        null as whole
    from {{ ref('unscheduled') }}
    group by community, department
),

-- This figure counts obligations that fall due on D + 1.
next_day_items as (
    select
        community,
        department,
        null as counted_once,
        count(*) as part,
        null as whole
    from {{ ref('due') }}
    where days_until_due = 1
    group by community, department
),

-- This figure counts persons with an obligation due on D + 1, each counted once.
next_day_persons as (
    select distinct
        community,
        department,
        person_key as counted_once,
        1 as part,
        null as whole
    from {{ ref('due') }}
    where days_until_due = 1
),

-- This figure counts obligations that fall due on the days after D, up to the horizon.
due_week as (
    select
        community,
        department,
        null as counted_once,
        count(*) as part,
        null as whole
    from {{ ref('due') }}
    group by community, department
),

-- This share counts the persons sampled in time in rounds whose deadline fell in the last seven days. A deadline at 24:00 of D
-- still runs.
screening_coverage as (
    select
        community,
        null as department,
        null as counted_once,
        sum(sampled_in_time) as part,
        sum(in_scope) as whole
    from {{ ref('screening_round') }}
    where deadline >= as_of_date - 6 and deadline < as_of_date + 1
    group by community
),

-- This figure counts persons without a sample in rounds whose deadline has passed, each counted once, without the infected.
screening_outstanding as (
    select distinct
        community,
        null as department,
        person_key as counted_once,
        1 as part,
        null as whole
    from {{ ref('screening_outstanding') }}
    where is_overdue and not is_infected
),

-- This share counts samples of units on D among those required; one unit's surplus does not offset another's shortfall.
sampling_done as (
    select
        community,
        department,
        null as counted_once,
        sum(least(sampled, required)) as part,
        sum(required) as whole
    from {{ ref('sampling_unit_daily') }}
    where sampling_day = as_of_date
    group by community, department
),

-- This figure counts units with too few samples on D, each counted once.
sampling_short as (
    select distinct
        community,
        department,
        unit as counted_once,
        1 as part,
        null as whole
    from {{ ref('sampling_unit_daily') }}
    where sampling_day = as_of_date and shortfall > 0
),

-- This figure counts persons who are proposed for D + 1, each counted once.
sampling_proposed as (
    select distinct
        community,
        department,
        person_key as counted_once,
        1 as part,
        null as whole
    from {{ ref('sampling_proposal') }}
),

-- This figure counts members of positive tubes (P24) without a single sample in time, each counted once.
pools_overdue as (
    select distinct
        community,
        null as department,
        person_key as counted_once,
        1 as part,
        null as whole
    from {{ ref('pool_followup') }}
    where status = 'overdue'
),

-- This share counts members of positive tubes (P24) whose single sample has a result.
pools_tested as (
    select
        community,
        null as department,
        null as counted_once,
        count(*) filter (where status in ('negative', 'positive')) as part,
        count(*) as whole
    from {{ ref('pool_followup') }}
    where status not in ('void', 'exempt')
    group by community
),

-- This share counts purchases (P19) tested in time among those due on D.
purchases_tested as (
    select
        community,
        null as department,
        null as counted_once,
        count(*) filter (where status = 'satisfied') as part,
        count(*) as whole
    from {{ ref('pharmacy_followup') }}
    where test_due_date = as_of_date and status in ('satisfied', 'satisfied_late', 'overdue')
    group by community
),

-- This figure counts purchases (P19) whose test is overdue.
purchases_overdue as (
    select
        community,
        null as department,
        null as counted_once,
        count(*) as part,
        null as whole
    from {{ ref('pharmacy_followup') }}
    where status = 'overdue'
    group by community
),

-- This figure counts signals that are new on D.
signals_new as (
    select
        community,
        null as department,
        null as counted_once,
        count(*) as part,
        null as whole
    from {{ ref('signal') }}
    where is_new
    group by community
),

final as (
    {{ united([
        'overdue', 'compliance', 'required', 'exempt', 'overdue_persons', 'overdue_items', 'missed',
        'upcoming', 'needs_review', 'unscheduled', 'next_day_items', 'next_day_persons', 'due_week',
        'screening_coverage', 'screening_outstanding', 'sampling_done', 'sampling_short', 'sampling_proposed',
        'pools_overdue', 'pools_tested', 'purchases_tested', 'purchases_overdue', 'signals_new'
    ]) }}
)

select * from final
