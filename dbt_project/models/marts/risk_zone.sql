-- Article 28: each local zone, when it may be lowered, what still blocks that, and where declaration and rule
-- disagree.
with clocks as (select * from {{ ref('int_zone__clocks') }}),

rounds as (select * from {{ ref('int_zone__rounds') }}),

places as (select * from {{ ref('int_zone__places') }}),

residents as (
    select
        zone_id,
        count(*) as residents
    from {{ ref('int_zone__residents') }}
    group by zone_id
),

-- The day from which each zone may be lowered, as far as it is known.
earliest as (
    select
        clocks.*,
        coalesce(places.overlapping_zones, {{ empty_list() }}) as overlapping_zones,
        coalesce(places.is_level_contested, false) as is_level_contested,
        places.place_last_positive_date,
        coalesce(residents.residents, 0) as residents,
        rounds.round_sampled,
        rounds.round_outstanding,
        rounds.round_positive,
        rounds.round_complete_on,
        clocks.clear_days >= clocks.required_clear_days as is_clear,
        case
            when clocks.needs_full_round and rounds.round_complete_on is null then null
            when clocks.needs_full_round then greatest(rounds.round_complete_on, clocks.rule_since)
            else greatest(clocks.clock_start + clocks.required_clear_days, clocks.rule_since)
        end as may_be_lowered_on
    from clocks
    left join rounds on clocks.zone_id = rounds.zone_id
    left join residents on clocks.zone_id = residents.zone_id
    left join places on clocks.zone_id = places.zone_id
),

-- A clock that the end of D has not reached leaves everything that follows it blank.
eligible as (
    select
        *,
        coalesce(may_be_lowered_on <= {{ as_of_date() }}, false) as is_eligible
    from earliest
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
        residents::int as residents,
        case when needs_full_round and is_clear then round_sampled::int end as round_sampled,
        case when needs_full_round and is_clear then round_outstanding::int end as round_outstanding,
        case when needs_full_round and is_clear and is_eligible then round_complete_on end as round_complete_on,
        case when is_eligible then to_level end as eligible_level,
        case when is_eligible then may_be_lowered_on end as eligible_on,
        -- The earliest day on which it can be lowered: with the round still open, not before tomorrow.
        case
            when to_level is null then null
            when is_eligible then may_be_lowered_on
            when is_clear then {{ as_of_date() }} + 1
            else greatest(clock_start + required_clear_days, rule_since)
        end as earliest_on,
        overlapping_zones,
        is_level_contested,
        place_last_positive_date,
        case
            when is_level_cancelled
                then '本版方案不再设' || level || '风险区' || coalesce('（' || rule_basis || '）', '')
            when level <> to_level_when_lowered
                then
                    {{ chinese_date('level_since') }} || '由' || previous_level || '风险直接降为' || level
                    || '风险，' || basis_when_lowered || '要求先降为' || to_level_when_lowered || '风险'
            when clear_days_when_lowered < required_when_lowered
                then
                    {{ chinese_date('level_since') }} || '由' || previous_level || '风险降为' || level
                    || '风险时仅' || clear_days_when_lowered || '天无新增，' || basis_when_lowered || '要求连续' || required_when_lowered || '天'
            when level = '低' and last_positive_date >= level_since
                then '公布为低风险后，' || {{ chinese_date('last_positive_date') }} || '仍有本土感染者'
        end as mismatch,
        {% call list_without_nulls() %}
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
            end
        {% endcall %} as blockers
    from eligible
)

select * from final
