-- One row per membership that has begun as of D, with its rule and its last day (policy semantics, "Memberships that other
-- feeds create").
{{ config(indexes=[{'columns': ['membership_id'], 'unique': true}, {'columns': ['person_key']}]) }}

with records as (
    select * from {{ ref('int_membership__records') }}
    where is_winner and start_date <= {{ as_of_date() }}
),

schedules as (select * from {{ ref('int_membership__schedules') }}),

rules as (select * from {{ ref('int_policy__rules') }}),

-- A full release of any merged record ends the membership.
full_releases as (
    select
        merged.membership_id,
        min(releases.release_date) as release_date
    from {{ ref('stg_platform__releases') }} as releases
    inner join {{ ref('int_membership__merged') }} as merged on releases.record_key = merged.record_key
    where releases.release_type = '全部管控'
    group by merged.membership_id
),

-- If a referral asks for k tests in n days and a window rule has the same numbers, they are a window from the first day on, not
-- a rolling duty.
windows as (
    select distinct
        tests_required,
        period_days
    from rules
    where rule_family = 'window'
),

ruled as (
    select
        records.*,
        rules.group_name,
        rules.basis,
        rules.edition_code,
        rules.departments,
        rules.first_day_offset,
        rules.first_test,
        rules.late_first_test,
        rules.is_anchored,
        rules.rule_family = 'as_required' as is_as_required,
        case
            when rules.rule_family <> 'as_required' or not rules.is_anchored then rules.rule_family
            when schedules.day_numbers is not null then 'anchored'
            when windows.period_days is not null then 'window'
            else rules.rule_family
        end as rule_family,
        coalesce(schedules.tests_required, rules.tests_required) as tests_required,
        coalesce(schedules.period_days, rules.period_days) as period_days,
        schedules.day_numbers,
        rules.rule_text
    from records
    inner join rules
        on
            records.group_code = rules.group_code
            and case when rules.is_anchored then records.anchor_date else {{ as_of_date() }} end
            between rules.effective_from and rules.effective_to
    left join schedules on records.membership_id = schedules.membership_id and rules.rule_family = 'as_required'
    left join windows
        on schedules.tests_required = windows.tests_required and schedules.period_days = windows.period_days
    where rules.rule_family is distinct from 'none'  -- The edition has ended the duty, so nobody is followed.
),

final as (
    select
        ruled.membership_id,
        ruled.person_key,
        ruled.group_code,
        ruled.group_name,
        case when ruled.is_as_required then coalesce(ruled.wording, ruled.rule_text) else ruled.rule_text end as rule_text,
        ruled.basis,
        ruled.rule_family,
        ruled.tests_required,
        ruled.period_days,
        ruled.day_numbers,
        ruled.first_day_offset,
        ruled.first_test,
        ruled.late_first_test,
        ruled.edition_code,
        coalesce(ruled.unit, '') as unit,
        coalesce(nullif(ruled.department, ''), ruled.departments) as department,
        coalesce(ruled.community, '') as community,
        coalesce(ruled.grid, '') as grid,
        ruled.start_date,
        ruled.anchor_date,
        -- A window of tests begins on the anchor, or for a referral on the day on which it was handed down.
        case when ruled.is_as_required then ruled.start_date else ruled.anchor_date end as window_date,
        least(ruled.end_date, full_releases.release_date) as end_date,
        ruled.control_method,
        ruled.needs_review
    from ruled
    left join full_releases on ruled.membership_id = full_releases.membership_id
)

select * from final
