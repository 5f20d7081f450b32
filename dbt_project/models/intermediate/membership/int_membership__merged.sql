-- One row per membership and record that was merged into it, its own record included. A release of any of these records applies
-- to the membership.
with records as (select * from {{ ref('int_membership__records') }}),

winners as (select * from records where is_winner),

final as (
    select
        membership_id,
        membership_id as record_key
    from winners
    union all
    select
        winners.membership_id,
        records.membership_id as record_key
    from winners
    inner join records
        on
            winners.person_key = records.person_key
            and winners.group_code = records.group_code
            and winners.anchor_date = records.anchor_date
            and not records.is_roster
            and winners.membership_id <> records.membership_id
)

select * from final
