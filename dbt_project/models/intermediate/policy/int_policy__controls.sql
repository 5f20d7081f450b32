-- One row per control and edition, with the days on which the edition is in force; an edition inherits the controls that it
-- does not mention. A control whose group the edition no longer follows takes in nobody new, but people already under it
-- complete it.
with controls as (
    select * from {{ rows_in_force('policy_control', ['control_code']) }} as held
),

rules as (select * from {{ ref('int_policy__rules') }}),

final as (
    select
        controls.in_force_edition_code as edition_code,
        controls.effective_from,
        controls.effective_to,
        controls.control_code,
        controls.title,
        controls.group_code,
        controls.isolation_days,
        controls.isolation_place,
        controls.monitoring_days,
        controls.monitoring_title,
        controls.monitoring_place,
        nullif(controls.control_method, '') as control_method,
        controls.basis,
        controls.clock_place,
        rules.rule_family <> 'none' as is_followed
    from controls
    inner join rules
        on controls.in_force_edition_code = rules.edition_code and controls.group_code = rules.group_code
)

select * from final
