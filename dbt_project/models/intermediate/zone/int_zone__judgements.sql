-- Article 28: one row per zone and moment (present, lowering) says whether the zone may be lowered by the end of the day on
-- which it is judged, and since when.
with clocks as (select * from {{ ref('int_zone__clocks') }}),

rounds as (select * from {{ ref('int_zone__rounds') }}),

joined as (
    select
        clocks.*,
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
    left join rounds on clocks.zone_id = rounds.zone_id and clocks.moment = rounds.moment
),

-- Without a rule, or while the round is incomplete, may_be_lowered_on is null and the zone is not eligible.
final as (
    select
        *,
        coalesce(may_be_lowered_on <= judged_on and unassigned_case_date is null, false) as is_eligible
    from joined
)

select * from final
