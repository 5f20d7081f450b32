-- Every membership that has begun as of D, once: of records of the same person, group and anchor the roster's
-- wins, else the one with the smallest record key (policy semantics, "Memberships that other feeds create").
{{ config(indexes=[{'columns': ['membership_id'], 'unique': true}, {'columns': ['person_key']}]) }}

with roster as (select * from {{ ref('int_membership__from_roster') }}),

arrivals as (select * from {{ ref('int_membership__from_arrivals') }}),

contacts as (select * from {{ ref('int_membership__from_contacts') }}),

rules as (select * from {{ ref('int_policy__rules') }}),

full_releases as (
    select
        record_key as membership_id,
        min(release_date) as release_date
    from {{ ref('stg_platform__releases') }}
    where release_type = '全部管控'
    group by record_key
),

records as (
    select
        membership_id,
        person_key,
        group_code,
        unit,
        department,
        community,
        grid,
        start_date,
        anchor_date,
        end_date,
        custom_frequency,
        false as needs_review,
        true as is_roster
    from roster
    union all
    select
        membership_id,
        person_key,
        group_code,
        null,
        null,
        community,
        grid,
        start_date,
        anchor_date,
        null,
        null,
        needs_review,
        false
    from arrivals
    union all
    select
        membership_id,
        person_key,
        group_code,
        unit,
        null,
        community,
        grid,
        start_date,
        anchor_date,
        null,
        null,
        false,
        false
    from contacts
),

-- Only anchored records can be the same membership; two roster rows always are two.
released as (
    select
        records.*,
        full_releases.release_date
    from records
    left join full_releases on records.membership_id = full_releases.membership_id
),

merged as (
    select
        *,
        case
            when anchor_date is not null
                then
                    min(release_date) over same_membership
            else release_date
        end as earliest_release_date,
        is_roster
        or not bool_or(is_roster) over same_membership
        and row_number() over (
            partition by person_key, group_code, anchor_date
            order by is_roster, {{ bytewise('membership_id') }}
        ) = 1 as is_winner
    from released
    window same_membership as (partition by person_key, group_code, anchor_date)
),

final as (
    select
        merged.membership_id,
        merged.person_key,
        merged.group_code,
        rules.group_name,
        rules.rule_text,
        rules.basis,
        rules.rule_family,
        rules.tests_required,
        rules.period_days,
        rules.first_day_offset,
        rules.edition_code,
        coalesce(merged.unit, '') as unit,
        coalesce(nullif(merged.department, ''), rules.departments) as department,
        coalesce(merged.community, '') as community,
        coalesce(merged.grid, '') as grid,
        merged.start_date,
        merged.anchor_date,
        least(merged.end_date, merged.earliest_release_date) as end_date,
        nullif(merged.custom_frequency, '') as custom_frequency,
        merged.needs_review
    from merged
    inner join rules
        on
            merged.group_code = rules.group_code
            and case when rules.is_anchored then merged.anchor_date else {{ as_of_date() }} end
            between rules.effective_from and rules.effective_to
    where
        merged.is_winner
        and merged.start_date <= {{ as_of_date() }}
        and rules.rule_family is distinct from 'none'  -- The edition ends the duty: nobody is followed any more.
)

select * from final
