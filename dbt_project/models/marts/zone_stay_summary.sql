-- Article 28: one row per level compares how long areas really stayed on the national lists with the rule. Only stays whose
-- beginning and end are in the lists count; an area on the first list may have begun earlier.
with stays as (
    select
        level,
        extract(epoch from listed_to - listed_from) / 86400 as days
    from {{ ref('zone_history') }}
    where listed_to is not null and listed_from > (select min(listed_at) from {{ ref('stg_national__risk_area_snapshots') }})
),

-- rule_days is the shortest stay at the level under the edition in force on D.
rules as (
    select
        from_level as level,
        min(clear_days) as rule_days
    from {{ ref('int_policy__zone_rules') }}
    where {{ as_of_date() }} between effective_from and effective_to
    group by from_level
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        stays.level,
        count(*)::int as stays,
        round(percentile_cont(0.1) within group (order by stays.days)::numeric, 1)::double precision as days_p10,
        round(percentile_cont(0.5) within group (order by stays.days)::numeric, 1)::double precision as days_median,
        round(percentile_cont(0.9) within group (order by stays.days)::numeric, 1)::double precision as days_p90,
        rules.rule_days,
        round(
            (count(*) filter (where stays.days < rules.rule_days))::numeric / count(*), 4
        )::double precision as share_shorter
    from stays
    left join rules on stays.level = rules.level
    group by stays.level, rules.rule_days
)

select * from final
