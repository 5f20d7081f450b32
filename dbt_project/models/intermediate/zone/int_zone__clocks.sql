-- Article 28: when each zone's clock started and what rule may lower it. One row per zone.
with zones as (select * from {{ ref('int_zone__levels') }}),

cases as (
    select * from {{ ref('stg_platform__cases') }}
    where source = '本土' and sample_date <= {{ as_of_date() }}
),

zone_rules as (
    select zone_rule.*
    from {{ ref('policy_zone_rule') }} as zone_rule
    inner join {{ ref('policy_edition') }} as edition on zone_rule.edition_code = edition.edition_code
    where {{ as_of_date() }} between edition.effective_from and coalesce(edition.effective_to, 'infinity'::date)
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
        {{ as_of_date() }} - greatest(positives.last_positive_date, zones.level_since) as clear_days,
        present_rule.to_level,
        present_rule.clear_days as required_clear_days,
        present_rule.needs_full_round,
        -- Days clear when the zone was lowered to its present level, and how many the rule asked for.
        zones.level_since - greatest(positives.positive_before_date, zones.previous_level_since)
            as clear_days_when_lowered,
        previous_rule.clear_days as required_when_lowered
    from zones
    left join positives on zones.zone_id = positives.zone_id
    left join zone_rules as present_rule
        on
            zones.level = present_rule.from_level
            and case when zones.level = '中' then zones.was_high else false end = present_rule.was_high
    left join zone_rules as previous_rule
        on
            zones.previous_level = previous_rule.from_level
            and case when zones.previous_level = '中' then zones.was_high else false end = previous_rule.was_high
            and zones.level <> '高'
)

select * from final
