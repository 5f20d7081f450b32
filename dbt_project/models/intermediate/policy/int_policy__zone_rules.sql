-- Article 28: one row per edition and level says what is required before a zone is lowered. An edition replaces these rules as
-- a whole, because it may abolish a level.
with zone_rules as (
    select * from {{ rows_in_force('policy_zone_rule', []) }} as held
),

compared as (
    select
        *,
        lag(clear_days) over by_date as clear_days_before,
        lag(needs_full_round) over by_date as needs_full_round_before,
        lag(to_level) over by_date as to_level_before
    from zone_rules
    window by_date as (partition by from_level, was_high order by effective_from)
),

marked as (
    select
        *,
        (clear_days is distinct from clear_days_before)
        or (needs_full_round is distinct from needs_full_round_before)
        or (to_level is distinct from to_level_before) as is_change
    from compared
),

final as (
    select
        in_force_edition_code as edition_code,
        effective_from,
        effective_to,
        from_level,
        was_high,
        clear_days,
        needs_full_round,
        to_level,
        basis,
        -- A rule cannot have allowed a zone to be lowered before the rule existed.
        max(effective_from) filter (where is_change) over (
            partition by from_level, was_high order by effective_from
        ) as same_since_date
    from marked
)

select * from final
