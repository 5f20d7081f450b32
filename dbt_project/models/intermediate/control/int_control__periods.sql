-- Articles 4, 6, 8, 18, 25, 26, 30: who is in which control, from when to when. One row per membership that a control
-- belongs to, in the edition of its anchor: the days of isolation and then of monitoring, counted from the anchor.
{{ config(materialized='table', indexes=[{'columns': ['membership_id'], 'unique': true}, {'columns': ['person_key']}]) }}

with memberships as (select * from {{ ref('int_membership__unified') }}),

controls as (select * from {{ ref('int_policy__controls') }}),

contacts as (select * from {{ ref('stg_platform__contacts') }}),

cases as (
    select * from {{ ref('stg_platform__cases') }}
    where sample_date <= {{ as_of_date() }}
),

releases as (
    select * from {{ ref('stg_platform__releases') }}
    where release_date <= {{ as_of_date() }}
),

-- Population: day 1 is the anchor, or the day after it where the rule counts so (row 37).
population as (
    select
        memberships.membership_id,
        memberships.person_key,
        memberships.group_code,
        memberships.department,
        memberships.community,
        memberships.grid,
        memberships.anchor_date,
        memberships.start_date as controlled_from,
        controls.control_code,
        controls.title,
        controls.basis,
        controls.isolation_days,
        controls.monitoring_days,
        coalesce(nullif(contacts.isolation_method, ''), nullif(controls.isolation_place, ''), '') as place,
        case when controls.isolation_days > 0
            then memberships.anchor_date + memberships.first_day_offset + controls.isolation_days - 1
        end as isolation_ends_on,
        memberships.anchor_date + memberships.first_day_offset + controls.isolation_days + controls.monitoring_days - 1
            as ends_on,
        case when memberships.end_date <= {{ as_of_date() }} then memberships.end_date end as released_on
    from memberships
    inner join controls
        on memberships.edition_code = controls.edition_code and memberships.group_code = controls.group_code
    left join contacts on memberships.membership_id = 'contacts:' || contacts.contact_key
),

-- Who came when the control was over has none here.
controlled as (
    select
        *,
        -- Who came after the isolation was in it elsewhere (article 4: a port outside the province).
        coalesce(controlled_from > isolation_ends_on, false) as was_isolated_elsewhere,
        case when place like '%集中%' then 2 when isolation_days > 0 then 1 else 0 end as strictness
    from population
    where controlled_from <= ends_on
),

-- Article 8: an exposure during an isolation, which a contact record tells, begins it anew; never by a milder control.
restarts as (
    select
        earlier.membership_id,
        min(later.anchor_date) as restarted_on,
        {{ at_first('later.membership_id', ['later.anchor_date', bytewise('later.membership_id')]) }} as restarted_by
    from controlled as earlier
    inner join controlled as later
        on
            earlier.person_key = later.person_key
            and later.group_code in ('35', '36')
            and later.anchor_date > earlier.anchor_date
            and later.anchor_date <= least(earlier.isolation_ends_on, coalesce(earlier.released_on, {{ no_end() }}))
            and later.strictness >= earlier.strictness
    group by earlier.membership_id
),

continued as (
    select
        restarted_by,
        min({{ bytewise('membership_id') }}) as restarted_from
    from restarts
    group by restarted_by
),

infections as (
    select
        controlled.membership_id,
        min(cases.sample_date) as infected_on
    from controlled
    inner join cases
        on
            controlled.person_key = cases.person_key
            and cases.sample_date >= controlled.anchor_date
            and cases.sample_date <= coalesce(controlled.released_on, controlled.ends_on)
            and controlled.group_code <> '37'
    group by controlled.membership_id
),

-- The end of the central isolation with its three results; a release of everything may bring them too.
isolation_releases as (
    select
        record_key,
        case when release_type = '集中隔离' then release_date end as isolation_released_on,
        person_result,
        objects_result,
        environment_result,
        infection_excluded
    from {{ first_per('releases', 'record_key', "release_type = '集中隔离' desc, release_date asc, " ~ bytewise('release_key')) }}
        as isolating
),

final as (
    select
        controlled.*,
        restarts.restarted_on,
        restarts.restarted_by,
        continued.restarted_from,
        infections.infected_on,
        isolation_releases.isolation_released_on,
        isolation_releases.record_key is not null as has_release_record,
        isolation_releases.person_result,
        isolation_releases.objects_result,
        isolation_releases.environment_result,
        coalesce(isolation_releases.infection_excluded, '') = '是' as is_infection_excluded
    from controlled
    left join restarts on controlled.membership_id = restarts.membership_id
    left join continued on controlled.membership_id = continued.restarted_by
    left join infections on controlled.membership_id = infections.membership_id
    left join isolation_releases on controlled.membership_id = isolation_releases.record_key
)

select * from final
