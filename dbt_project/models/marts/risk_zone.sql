-- Article 28: one row per local zone shows when it may be lowered, what still blocks that, and how the declaration disagrees
-- with the rule.
with zones as (select * from {{ ref('int_zone__levels') }}),

present as (select * from {{ ref('int_zone__judgements') }} where moment = 'present'),

-- These rows judge the lowering to the present level, as of the day on which it took effect.
lowerings as (select * from {{ ref('int_zone__judgements') }} where moment = 'lowering'),

places as (select * from {{ ref('int_zone__places') }}),

residents as (
    select
        zone_id,
        count(*) as residents
    from {{ ref('int_zone__residents') }}
    where moment = 'present'
    group by zone_id
),

-- The edition in force on D may have abolished a level at which a zone is still declared.
levels as (
    select level from {{ ref('int_policy__zone_levels') }}
    where {{ as_of_date() }} between effective_from and effective_to
),

joined as (
    select
        zones.*,
        present.last_positive_date,
        present.clock_start,
        present.clear_days,
        present.unassigned_case_date,
        present.to_level,
        present.required_clear_days,
        present.needs_full_round,
        present.rule_since,
        present.rule_basis,
        present.round_sampled,
        present.round_outstanding,
        present.round_positive,
        present.round_complete_on,
        present.is_clear,
        present.is_eligible,
        present.may_be_lowered_on,
        levels.level is null as is_level_cancelled,
        coalesce(not lowerings.is_eligible, false) as is_lowered_too_early,
        lowerings.to_level as to_level_when_lowered,
        lowerings.is_clear as was_clear_when_lowered,
        lowerings.clear_days as clear_days_when_lowered,
        lowerings.required_clear_days as required_when_lowered,
        lowerings.needs_full_round as needed_round_when_lowered,
        lowerings.round_outstanding as outstanding_when_lowered,
        lowerings.round_positive as positive_when_lowered,
        lowerings.unassigned_case_date as unassigned_when_lowered,
        lowerings.rule_basis as basis_when_lowered,
        {{ chinese_date('zones.level_since') }} || '由' || zones.previous_level || '风险降为' || zones.level || '风险时'
            as on_lowering,
        ({{ as_of_date() }} - zones.level_since) as days_at_level,
        coalesce(places.overlapping_zones, '{}'::text[]) as overlapping_zones,
        coalesce(places.is_level_contested, false) as is_level_contested,
        places.place_last_positive_date,
        coalesce(residents.residents, 0) as residents
    from zones
    inner join present on zones.zone_id = present.zone_id
    left join lowerings on zones.zone_id = lowerings.zone_id
    left join levels on zones.level = levels.level
    left join residents on zones.zone_id = residents.zone_id
    left join places on zones.zone_id = places.zone_id
),

disagreeing as (
    select
        *,
        array_remove(array[
            case
                when is_level_cancelled
                    then '本版方案不再设' || level || '风险区' || coalesce('（' || rule_basis || '）', '')
            end,
            case
                when level <> to_level_when_lowered
                    then
                        {{ chinese_date('level_since') }} || '由' || previous_level || '风险直接降为' || level
                        || '风险，' || basis_when_lowered || '要求先降为' || to_level_when_lowered || '风险'
            end,
            case
                when not was_clear_when_lowered
                    then
                        on_lowering || '仅' || clear_days_when_lowered || '天无新增，' || basis_when_lowered
                        || '要求连续' || required_when_lowered || '天'
            end,
            case
                when was_clear_when_lowered and needed_round_when_lowered and outstanding_when_lowered > 0
                    then on_lowering || '全员筛查还有' || outstanding_when_lowered || '人未采样或结果未出'
            end,
            case
                when was_clear_when_lowered and needed_round_when_lowered and positive_when_lowered > 0
                    then on_lowering || '全员筛查有' || positive_when_lowered || '人结果为阳性'
            end,
            case
                when is_lowered_too_early and unassigned_when_lowered is not null
                    then
                        on_lowering || '区内' || {{ chinese_date('unassigned_when_lowered') }}
                        || '的本土感染者未注明风险区'
            end,
            case
                when is_eligible and ({{ as_of_date() }} - may_be_lowered_on) > 1
                    then {{ chinese_date('may_be_lowered_on') }} || '已可降为' || to_level || '风险，尚未调整'
            end
        ], null) as mismatches,
        array_remove(array[
            case when not is_clear then 'days' end,
            case when is_clear and round_outstanding > 0 then 'not_sampled' end,
            case when is_clear and round_positive > 0 then 'positive' end,
            case when to_level is not null and unassigned_case_date is not null then 'unassigned_case' end
        ], null) as blockers,
        array_remove(array[
            case
                when not is_clear
                    then
                        '无新增阳性' || clear_days || '天，未满' || required_clear_days || '天，最早'
                        || {{ chinese_date('clock_start + required_clear_days') }} || '可降'
            end,
            case
                when is_clear and round_outstanding > 0
                    then '第' || required_clear_days || '天起的全员筛查还有' || round_outstanding || '人未采样或结果未出'
            end,
            case
                when is_clear and round_positive > 0
                    then '第' || required_clear_days || '天起的全员筛查有' || round_positive || '人结果为阳性'
            end,
            case
                when to_level is not null and unassigned_case_date is not null
                    then '区内' || {{ chinese_date('unassigned_case_date') }} || '的本土感染者未注明风险区'
            end,
            case
                when level = '低' and last_positive_date > level_since
                    then '公布为低风险后，' || {{ chinese_date('last_positive_date') }} || '仍有本土感染者'
            end
        ], null) as blocking_words
    from joined
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        zone_id,
        name,
        communities,
        grids,
        level,
        level_since,
        was_high,
        last_positive_date,
        clear_days::int as clear_days,
        ({{ as_of_date() }} - last_positive_date)::int as days_since_positive,
        days_at_level::int as days_at_level,
        level = '低' and previous_level is not null
        and days_at_level < {{ parameter('lowered_zone_days', 'disagreeing.level_since') }} as is_lowered,
        residents::int as residents,
        case when needs_full_round and is_clear then round_sampled::int end as round_sampled,
        case when needs_full_round and is_clear then round_outstanding::int end as round_outstanding,
        case when needs_full_round and is_clear then round_complete_on end as round_complete_on,
        case when is_eligible then to_level end as eligible_level,
        case when is_eligible then may_be_lowered_on end as eligible_on,
        -- A zone that has its clear days but is still blocked, say by its screening round, can be lowered tomorrow at the
        -- earliest.
        case
            when to_level is null then null
            when is_eligible then may_be_lowered_on
            when is_clear then {{ as_of_date() }} + 1
            else greatest(clock_start + required_clear_days, rule_since)
        end as earliest_on,
        overlapping_zones,
        is_level_contested,
        place_last_positive_date,
        case when cardinality(mismatches) > 0 then array_to_string(mismatches, '；') end as mismatch,
        blockers,
        array_to_string(blocking_words, '；') as explanation
    from disagreeing
)

select * from final
