-- This mart has one row per open obligation that falls due after D, up to the horizon (parameter due_horizon_days, 7).
{{ config(indexes=[{'columns': ['due_date', 'community']}]) }}

with obligations as (select * from {{ ref('obligation') }} where status = 'upcoming'),

horizon as (
    select {{ parameter('due_horizon_days', as_of_date()) }} as days
),

final as (
    select
        obligations.*,
        (obligations.due_date - obligations.as_of_date) as days_until_due
    from obligations
    cross join horizon
    where (obligations.due_date - obligations.as_of_date) <= horizon.days
)

select * from final
