-- Article 28: one row per zone and moment has the start of the zone's clock and the rule that may lower it. The moment is D
-- (`present`), or the day on which a lower level took effect, judged by the declarations before it (`lowering`).
with zones as (select * from {{ ref('int_zone__levels') }}),

cases as (
    select * from {{ ref('stg_platform__cases') }}
    where source = '本土' and sample_date <= {{ as_of_date() }}
),

zone_rules as (
    select * from {{ ref('int_policy__zone_rules') }}
),

moments as (
    select
        zone_id,
        communities,
        grids,
        'present' as moment,
        {{ as_of_date() }} as judged_on,
        level,
        level_since,
        was_high
    from zones
    union all
    -- A rise to 高 is no lowering, and no rule lowers a zone from 低.
    select
        zone_id,
        previous_communities as communities,
        previous_grids as grids,
        'lowering' as moment,
        level_since as judged_on,
        previous_level as level,
        previous_level_since as level_since,
        was_high
    from zones
    where level <> '高' and previous_level is not null
),

positives as (
    select
        moments.zone_id,
        moments.moment,
        max(cases.sample_date) as last_positive_date
    from moments
    inner join cases on moments.zone_id = cases.zone_key and moments.judged_on >= cases.sample_date
    group by moments.zone_id, moments.moment
),

clocked as (
    select
        moments.*,
        positives.last_positive_date,
        greatest(positives.last_positive_date, moments.level_since) as clock_start
    from moments
    left join positives on moments.zone_id = positives.zone_id and moments.moment = positives.moment
),

-- A local case in the zone's area that names no zone blocks the lowering until somebody assigns it to one.
unassigned as (
    select
        clocked.zone_id,
        clocked.moment,
        max(cases.sample_date) as unassigned_case_date
    from clocked
    inner join cases
        on
            coalesce(cases.zone_key, '') = ''
            and cases.sample_date between clocked.clock_start and clocked.judged_on
            and cases.community = any(clocked.communities)
            and (cases.grid = any(clocked.grids) or cardinality(clocked.grids) = 0)
    group by clocked.zone_id, clocked.moment
),

final as (
    select
        clocked.zone_id,
        clocked.moment,
        clocked.judged_on,
        clocked.level,
        clocked.last_positive_date,
        clocked.clock_start,
        (clocked.judged_on - clocked.clock_start) as clear_days,
        -- An unassigned case does not block a zone whose level requires no clear days, such as a level that the edition does
        -- not have.
        case when zone_rules.clear_days > 0 then unassigned.unassigned_case_date end as unassigned_case_date,
        zone_rules.to_level,
        zone_rules.clear_days as required_clear_days,
        zone_rules.needs_full_round,
        zone_rules.same_since_date as rule_since,
        zone_rules.basis as rule_basis
    from clocked
    left join unassigned on clocked.zone_id = unassigned.zone_id and clocked.moment = unassigned.moment
    left join zone_rules
        on
            clocked.judged_on between zone_rules.effective_from and zone_rules.effective_to
            and clocked.level = zone_rules.from_level
            and case when clocked.level = '中' then clocked.was_high else false end = zone_rules.was_high
    where clocked.moment = 'present' or zone_rules.to_level is not null
)

select * from final
