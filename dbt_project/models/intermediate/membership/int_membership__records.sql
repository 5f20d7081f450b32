-- One row per record that puts a person in a group. is_winner marks the record that stands for the membership: among records of
-- the same person, group and anchor it is the roster's, otherwise the one with the smallest record key (policy semantics,
-- "Memberships that other feeds create").
with roster as (select * from {{ ref('int_membership__from_roster') }}),

arrivals as (select * from {{ ref('int_membership__from_arrivals') }}),

contacts as (select * from {{ ref('int_membership__from_contacts') }}),

referrals as (select * from {{ ref('int_membership__from_referrals') }}),

cases as (select * from {{ ref('int_membership__from_cases') }}),

derived as (
    select
        membership_id,
        person_key,
        group_code,
        null::text as unit,
        community,
        grid,
        start_date,
        anchor_date,
        null::date as end_date,
        null::text as wording,
        null::text as control_method,
        needs_review
    from arrivals
    union all
    select
        membership_id,
        person_key,
        group_code,
        unit,
        community,
        grid,
        start_date,
        anchor_date,
        null,
        null,
        null,
        false
    from contacts
    union all
    select
        membership_id,
        person_key,
        group_code,
        null,
        community,
        grid,
        start_date,
        anchor_date,
        end_date,
        required_tests,
        control_method,
        false
    from referrals
    union all
    select
        membership_id,
        person_key,
        group_code,
        null,
        community,
        grid,
        start_date,
        anchor_date,
        null,
        null,
        null,
        false
    from cases
),

records as (
    select
        -- The prefix keeps a roster record apart from a record of another feed with the same key.
        case
            when derived.membership_id is null and left(roster.membership_id, 15) <> 'key_population:' then roster.membership_id
            else 'key_population:' || roster.membership_id
        end as membership_id,
        roster.person_key,
        roster.group_code,
        roster.unit,
        roster.department,
        roster.community,
        roster.grid,
        roster.start_date,
        roster.anchor_date,
        roster.end_date,
        nullif(roster.custom_frequency, '') as wording,
        null::text as control_method,
        false as needs_review,
        true as is_roster
    from roster
    left join derived on roster.membership_id = derived.membership_id
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
        end_date,
        wording,
        control_method,
        needs_review,
        false
    from derived
),

-- Only records with the same anchor are merged, and two roster rows are always two memberships.
final as (
    select
        *,
        is_roster
        or not bool_or(is_roster) over (partition by person_key, group_code, anchor_date)
        and row_number() over (
            partition by person_key, group_code, anchor_date
            order by is_roster, membership_id collate "C"
        ) = 1 as is_winner
    from records
)

select * from final
