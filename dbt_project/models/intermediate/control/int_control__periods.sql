-- Articles 4, 6, 7, 8, 18, 25, 26 and 30: one row per membership under a control has the dates of isolation and of the
-- monitoring after it, counted from the anchor under the edition in force on the anchor date.
{{ config(indexes=[{'columns': ['membership_id'], 'unique': true}, {'columns': ['person_key']}]) }}

with memberships as (select * from {{ ref('int_membership__unified') }}),

controls as (select * from {{ ref('int_policy__controls') }}),

merged as (select * from {{ ref('int_membership__merged') }}),

-- The contact record says where the isolation is. If several records were merged, the first with a value counts.
contacts as (
    select
        merged.membership_id,
        (
            array_agg(contacts.isolation_method order by merged.record_key collate "C")
            filter (where contacts.isolation_method <> '')
        )[1] as isolation_method
    from {{ ref('stg_platform__contacts') }} as contacts
    inner join merged on 'contacts:' || contacts.contact_key = merged.record_key
    where contacts.judged_at < {{ as_of_date() }} + 1
    group by merged.membership_id
),

cases as (
    select * from {{ ref('stg_platform__cases') }}
    where sample_date <= {{ as_of_date() }}
),

-- Any referral that was merged into a membership may name the day of exposure.
exposed as (
    select distinct merged.membership_id
    from {{ ref('stg_platform__referrals') }} as referrals
    inner join merged on 'referrals:' || referrals.referral_key = merged.record_key
    where referrals.last_exposure_date is not null and referrals.handed_down_at < {{ as_of_date() }} + 1
),

-- A release of any merged record applies to the membership.
releases as (
    select
        releases.*,
        merged.membership_id
    from {{ ref('stg_platform__releases') }} as releases
    inner join merged on releases.record_key = merged.record_key
    where releases.release_date <= {{ as_of_date() }}
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
        coalesce(contacts.isolation_method, nullif(controls.isolation_place, ''), '') as place,
        coalesce(controls.monitoring_title, '') as monitoring_title,
        coalesce(controls.monitoring_place, '') as monitoring_place,
        case when controls.isolation_days > 0
            then memberships.anchor_date + memberships.first_day_offset + controls.isolation_days - 1
        end as isolation_ends_on,
        memberships.anchor_date + memberships.first_day_offset + controls.isolation_days + controls.monitoring_days - 1
            as ends_on,
        case when memberships.end_date <= {{ as_of_date() }} then memberships.end_date end as released_on
    from memberships
    inner join controls
        on
            memberships.edition_code = controls.edition_code
            and memberships.group_code = controls.group_code
            -- Only referrals name their own control method.
            and coalesce(controls.control_method, '') = coalesce(memberships.control_method, '')
    left join contacts on memberships.membership_id = contacts.membership_id
),

-- A person who arrived after the control ended has no row.
controlled as (
    select
        *,
        -- A person who arrived on the last day of the isolation or later was isolated elsewhere: article 4, a port outside the
        -- province.
        coalesce(controlled_from >= isolation_ends_on, false) as was_isolated_elsewhere
    from population
    where controlled_from <= ends_on
),

-- Contact records are exposures, and so are referrals that name the day of exposure.
exposures as (
    select
        memberships.membership_id,
        memberships.person_key,
        memberships.anchor_date as exposed_on
    from memberships
    left join exposed on memberships.membership_id = exposed.membership_id
    where memberships.group_code in ('35', '36') or exposed.membership_id is not null
),

-- Article 8: an exposure during an isolation restarts it. Without an isolation here, there is nothing to restart.
restarts as (
    select
        controlled.membership_id,
        min(exposures.exposed_on) as restarted_on,
        (array_agg(exposures.membership_id order by exposures.exposed_on, exposures.membership_id collate "C"))[1] as restarted_by
    from controlled
    inner join exposures
        on
            controlled.person_key = exposures.person_key
            and controlled.anchor_date < exposures.exposed_on
            and controlled.controlled_from <= exposures.exposed_on
            and least(controlled.isolation_ends_on, coalesce(controlled.released_on, 'infinity'::date)) >= exposures.exposed_on
    where controlled.isolation_days > 0 and not controlled.was_isolated_elsewhere
    group by controlled.membership_id
),

continued as (
    select
        restarted_by,
        min(membership_id collate "C") as restarted_from
    from restarts
    group by restarted_by
),

-- An infection up to the control's last day ends it, even one that began before the control and is not over.
infections as (
    select
        controlled.membership_id,
        min(cases.sample_date) as infected_on
    from controlled
    inner join cases
        on
            controlled.person_key = cases.person_key
            and cases.sample_date <= least(controlled.ends_on, coalesce(controlled.released_on, 'infinity'::date))
            and coalesce(cases.discharge_date, 'infinity'::date) > controlled.anchor_date
    group by controlled.membership_id
),

-- The newest release from central isolation decides, with its three results. Without one, the newest full release counts.
isolation_releases as (
    select
        membership_id,
        case when release_type = '集中隔离' then release_date end as isolation_released_on,
        person_result,
        objects_result,
        environment_result,
        infection_excluded
    from (
        select distinct on (membership_id) * from releases
        order by membership_id, release_type = '集中隔离' desc, release_date desc, updated_at desc, release_key collate "C"
    )
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
        isolation_releases.membership_id is not null as has_release_record,
        isolation_releases.person_result,
        isolation_releases.objects_result,
        isolation_releases.environment_result,
        coalesce(isolation_releases.infection_excluded, '') = '是' as is_infection_excluded
    from controlled
    left join restarts on controlled.membership_id = restarts.membership_id
    left join continued on controlled.membership_id = continued.restarted_by
    left join infections on controlled.membership_id = infections.membership_id
    left join isolation_releases on controlled.membership_id = isolation_releases.membership_id
)

select * from final
