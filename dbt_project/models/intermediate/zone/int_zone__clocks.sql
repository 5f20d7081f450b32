-- Article 28: when each zone's clock started and what rule may lower it. One row per zone.
with zones as (select * from {{ ref('int_zone__levels') }}),

cases as (
    select * from {{ ref('stg_platform__cases') }}
    where source = '本土' and sample_date <= {{ as_of_date() }}
),

zone_rules as (
    select * from {{ ref('int_policy__zone_rules') }}
),

-- The levels of the edition in force on D: a zone may still be declared at one that is no more.
levels as (
    select level from {{ ref('int_policy__zone_levels') }}
    where {{ as_of_date() }} between effective_from and effective_to
),

positives as (
    select
        zones.zone_id,
        max(cases.sample_date) as last_positive_date,
        -- The last positive that was known when the zone took its present level.
        max(cases.sample_date) filter (where cases.sample_date < zones.level_since) as positive_before_date
    from zones
    inner join cases on zones.zone_id = cases.zone_key
    group by zones.zone_id
),

final as (
    select
        zones.*,
        positives.last_positive_date,
        greatest(positives.last_positive_date, zones.level_since) as clock_start,
        {{ days_between(as_of_date(), 'greatest(positives.last_positive_date, zones.level_since)') }} as clear_days,
        present_rule.to_level,
        present_rule.clear_days as required_clear_days,
        present_rule.needs_full_round,
        present_rule.same_since_date as rule_since,
        present_rule.basis as rule_basis,
        levels.level is null as is_level_cancelled,
        -- Days clear when the zone was lowered to its present level, and how many the rule asked for.
        {{ days_between('zones.level_since', 'greatest(positives.positive_before_date, zones.previous_level_since)') }}
            as clear_days_when_lowered,
        previous_rule.clear_days as required_when_lowered,
        previous_rule.to_level as to_level_when_lowered,
        previous_rule.basis as basis_when_lowered
    from zones
    left join positives on zones.zone_id = positives.zone_id
    left join levels on zones.level = levels.level
    left join zone_rules as present_rule
        on
            {{ as_of_date() }} between present_rule.effective_from and present_rule.effective_to
            and zones.level = present_rule.from_level
            and case when zones.level = '中' then zones.was_high else false end = present_rule.was_high
    -- What was asked for on the day on which the zone was lowered.
    left join zone_rules as previous_rule
        on
            zones.level_since between previous_rule.effective_from and previous_rule.effective_to
            and zones.previous_level = previous_rule.from_level
            and case when zones.previous_level = '中' then zones.was_high else false end = previous_rule.was_high
            and zones.level <> '高'
)

select * from final
