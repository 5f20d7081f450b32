-- Article 28: one row per zone and period at one level compares its length with the days without a new infection that the rule
-- requires.
with runs as (select * from {{ ref('int_zone__level_runs') }}),

rules as (select * from {{ ref('int_policy__zone_rules') }}),

-- The rule in force when the period ended, or on D, applies.
ended as (
    select
        runs.*,
        coalesce(runs.level_until, {{ as_of_date() }}) as last_day
    from runs
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        ended.zone_id,
        ended.name,
        ended.communities,
        ended.run_number::int as run_number,
        ended.level,
        ended.was_high,
        ended.level_since as from_date,
        ended.level_until as to_date,
        ((ended.last_day - ended.level_since) + 1)::int as days,
        rules.clear_days::int as rule_days
    from ended
    left join rules
        on
            ended.level = rules.from_level
            -- A zone that is 高 again is judged as one that is 高 for the first time.
            and (ended.was_high and ended.level <> '高') = rules.was_high
            and ended.last_day between rules.effective_from and rules.effective_to
)

select * from final
