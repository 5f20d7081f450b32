-- Article 17: one row per large event. Before it is held, it needs a plan, a review by the health office, a filing with the
-- community and an approval by the command.
{{ config(indexes=[{'columns': ['event_id'], 'unique': true}]) }}

with events as (
    select
        *,
        held_on - {{ parameter('event_approval_days', 'events.held_on') }} as due_on
    from {{ ref('stg_platform__events') }} as events
),

-- A step dated after D is not known yet.
known as (
    select
        event_key,
        event_name,
        organizer,
        community,
        held_on,
        attendance,
        due_on,
        case when planned_on <= {{ as_of_date() }} then planned_on end as planned_on,
        case when health_reviewed_on <= {{ as_of_date() }} then health_reviewed_on end as health_reviewed_on,
        case when community_filed_on <= {{ as_of_date() }} then community_filed_on end as community_filed_on,
        case when command_approved_on <= {{ as_of_date() }} then command_approved_on end as command_approved_on
    from events
),

judged as (
    select
        *,
        array_remove(array[
            case when planned_on is null then '防控方案' end,
            case when health_reviewed_on is null then '卫健审核' end,
            case when community_filed_on is null then '社区报备' end,
            case when command_approved_on is null then '指挥部报批' end
        ], null) as missing_steps,
        array_remove(array[
            case when planned_on > due_on then '防控方案' end,
            case when health_reviewed_on > due_on then '卫健审核' end,
            case when community_filed_on > due_on then '社区报备' end,
            case when command_approved_on > due_on then '指挥部报批' end
        ], null) as late_steps
    from known
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        event_key as event_id,
        coalesce(event_name, '') as event_name,
        coalesce(organizer, '') as organizer,
        community,
        held_on,
        (held_on - {{ as_of_date() }}) as days_until,
        attendance,
        planned_on,
        health_reviewed_on,
        community_filed_on,
        command_approved_on,
        due_on,
        cardinality(missing_steps) as steps_missing,
        array_to_string(missing_steps, '、') as missing,
        array_to_string(late_steps, '、') as late,
        case
            when cardinality(missing_steps) = 0 and cardinality(late_steps) = 0 then 'satisfied'
            when cardinality(missing_steps) = 0 then 'satisfied_late'
            when due_on <= {{ as_of_date() }} then 'overdue'
            else 'waiting'
        end as status
    from judged
)

select * from final
