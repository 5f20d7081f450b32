-- Article 16: one row per person and period on a list because of a risk, either under a control of the plan or as an infected
-- person. Hotel guests are looked up here.
{{ config(indexes=[{'columns': ['person_key']}]) }}

with memberships as (select * from {{ ref('int_membership__unified') }}),

controls as (
    select distinct
        group_code,
        coalesce(control_method, '') as control_method
    from {{ ref('int_policy__controls') }}
),

infections as (
    select * from {{ ref('stg_platform__cases') }}
    where sample_date <= {{ as_of_date() }}
),

final as (
    select
        memberships.person_key,
        memberships.group_code as list_code,
        memberships.start_date as from_date,
        coalesce(memberships.end_date, 'infinity'::date) as to_date
    from memberships
    -- Referrals name their control method; 仅检测 is no control.
    inner join controls
        on
            memberships.group_code = controls.group_code
            and coalesce(memberships.control_method, '') = controls.control_method
    union all
    select
        person_key,
        'case' as list_code,
        sample_date as from_date,
        coalesce(discharge_date, 'infinity'::date) as to_date
    from infections
)

select * from final
