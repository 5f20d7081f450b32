-- The controls of each edition, with the days on which it is in force. One whose group an edition no longer follows
-- is none in it.
with controls as (
    select * from {{ rows_in_force('policy_control', ['control_code']) }} as ranked
    where recency = 1
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
        controls.counts_from,
        controls.basis
    from controls
    inner join rules
        on controls.in_force_edition_code = rules.edition_code and controls.group_code = rules.group_code
    where rules.rule_family <> 'none'
)

select * from final
