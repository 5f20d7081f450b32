-- One row per department, group, community and unit counts the memberships with an obligation standing on D, and how many of
-- them comply. An obligation stands on D when it is open at the end of D or was discharged on D itself.
{{ config(indexes=[{'columns': ['as_of_date']}]) }}

with obligations as (select * from {{ ref('obligation') }}),

memberships as (
    select
        as_of_date,
        department,
        group_code,
        group_name,
        community,
        unit,
        unit_key,
        membership_id,
        bool_or(status in ('upcoming', 'overdue') or satisfied_on is not distinct from as_of_date) as is_required,
        bool_or(status = 'overdue') as is_overdue,
        bool_or(status in ('exempt', 'void') and (slot is null or due_date >= as_of_date)) as is_lifted,
        -- Purchases and positive tubes (P19, P24) have their own figures and stay out of the headline rate.
        bool_and(rule_family is distinct from 'follow_up') as is_headline
    from obligations
    group by as_of_date, department, group_code, group_name, community, unit, unit_key, membership_id
),

final as (
    select
        as_of_date,
        department,
        group_code,
        group_name,
        community,
        unit,
        count(*) filter (where is_required)::int as required,
        count(*) filter (where is_required and not is_overdue)::int as compliant,
        count(*) filter (where is_overdue)::int as overdue,
        count(*) filter (where is_lifted and not is_required)::int as exempt,
        round(
            (count(*) filter (where is_required and not is_overdue))::numeric
            / nullif(count(*) filter (where is_required), 0), 4
        )::double precision as compliance_rate,
        unit_key,
        bool_and(is_headline) as is_headline
    from memberships
    where is_required or is_lifted
    group by as_of_date, department, group_code, group_name, community, unit, unit_key
)

select * from final
