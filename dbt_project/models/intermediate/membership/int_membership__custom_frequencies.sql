-- Rule family 6 (annex row 38): the frequency that a roster row names itself, as k tests in n days.
with memberships as (
    select * from {{ ref('int_membership__unified') }}
    where rule_family = 'as_required' and custom_frequency is not null
),

parsed as (
    select
        membership_id,
        {{ regexp_groups('custom_frequency', '^(\d{1,3})\s*(天|日)(\d{1,3})\s*(检|次)$', 4) }} as by_days,
        {{ regexp_groups('custom_frequency', '^(\d{0,2})\s*周(\d{1,3})\s*(检|次)$', 3) }} as by_weeks,
        custom_frequency in ('每日', '每天') as is_daily
    from memberships
),

final as (
    select
        membership_id,
        case when is_daily then 1 when by_days is not null then {{ item('by_days', 3) }}::int else {{ item('by_weeks', 2) }}::int end
            as tests_required,
        case
            when is_daily then 1
            when by_days is not null then {{ item('by_days', 1) }}::int
            else 7 * coalesce(nullif({{ item('by_weeks', 1) }}, ''), '1')::int
        end as period_days
    from parsed
)

select * from final
where tests_required > 0 and period_days > 0
