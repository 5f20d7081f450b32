-- One row per record that states its own tests (annex row 38 in 自定频次, A07 in 检测要求): either k tests in n days, or day numbers
-- with the anchor as day 1. Wording that cannot be parsed gives no row.
with records as (
    select * from {{ ref('int_membership__records') }}
    where
        is_winner
        and wording is not null
        and group_code in (
            select rules.group_code from {{ ref('int_policy__rules') }} as rules
            where rules.rule_family = 'as_required'
        )
),

parsed as (
    select
        membership_id,
        regexp_match(wording, '^([0-9]{1,3})\s*(天|日)([0-9]{1,3})\s*(检|次)$') as by_days,
        regexp_match(wording, '^([0-9]{0,2})\s*周([0-9]{1,3})\s*(检|次)$') as by_weeks,
        regexp_match(
            wording, '^第([1-9][0-9]{0,2}[天日]?([、，,;；]第?[1-9][0-9]{0,2}[天日]?)*)(各检[1一]次|各[1一]次|各检测[1一]次)?$'
        ) as by_day_numbers,
        wording in ('每日', '每天') as is_daily
    from records
),

final as (
    select
        membership_id,
        case
            when is_daily then 1
            when by_days is not null then by_days[3]::int
            else by_weeks[2]::int
        end as tests_required,
        case
            when is_daily then 1
            when by_days is not null then by_days[1]::int
            else 7 * coalesce(nullif(by_weeks[1], ''), '1')::int
        end as period_days,
        case
            when by_day_numbers is not null
                then replace(replace(replace(by_day_numbers[1], '第', ''), '天', ''), '日', '')
        end as day_numbers
    from parsed
)

select
    membership_id,
    case when day_numbers is null then tests_required end as tests_required,
    case when day_numbers is null then period_days end as period_days,
    day_numbers
from final
where day_numbers is not null or (tests_required > 0 and period_days > 0)
