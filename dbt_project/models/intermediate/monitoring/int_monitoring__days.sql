-- Articles 4, 18 and 30: one row per membership and day up to D on which a person under control is at home and reports
-- temperature and symptoms. Isolation at home counts from its first day; after central isolation, only the days after its last
-- day count.

with periods as (select * from {{ ref('int_control__periods') }}),

memberships as (select * from {{ ref('int_membership__unified') }}),

-- The first merged record with a method of isolation counts, as in int_control__periods.
contacts as (
    select
        merged.membership_id,
        (
            array_agg(contacts.isolation_method order by merged.record_key collate "C")
            filter (where contacts.isolation_method <> '')
        )[1] as isolation_method
    from {{ ref('stg_platform__contacts') }} as contacts
    inner join {{ ref('int_membership__merged') }} as merged on 'contacts:' || contacts.contact_key = merged.record_key
    where contacts.judged_at < {{ as_of_date() }} + 1
    group by merged.membership_id
),

infections as (select * from {{ ref('int_lift__intervals') }} where state = 'void'),

-- A person who arrives on or after the last day of an isolation has only the monitoring after it. A contact is at home if 隔离方式
-- says so. If another record restarts the isolation, the days of both records are listed.
located as (
    select
        periods.*,
        greatest(periods.controlled_from, periods.anchor_date + memberships.first_day_offset) as first_day,
        coalesce(periods.controlled_from < periods.isolation_ends_on, true) or periods.monitoring_days > 0 as has_stage,
        case
            when coalesce(periods.controlled_from >= periods.isolation_ends_on, true) then false
            when contacts.membership_id is not null then coalesce(contacts.isolation_method, '') <> '居家'
            else periods.place <> '居家'
        end as is_elsewhere
    from periods
    inner join memberships on periods.membership_id = memberships.membership_id
    left join contacts on periods.membership_id = contacts.membership_id
),

stages as (
    select
        membership_id,
        person_key,
        group_code,
        department,
        community,
        grid,
        case when is_elsewhere then isolation_ends_on + 1 else first_day end as from_date,
        least(ends_on, {{ as_of_date() }}, coalesce(released_on, 'infinity'::date)) as to_date
    from located
    where has_stage
),

listed as materialized {{ first_listed_day() }},

days as (
    select
        stages.membership_id,
        stages.person_key,
        stages.group_code,
        stages.department,
        stages.community,
        stages.grid,
        numbered.day_at::date as monitored_on
    from stages
    cross join listed
    cross join lateral generate_series(
        greatest(stages.from_date, listed.first_day)::timestamp,
        stages.to_date::timestamp,
        interval '1 day'
    ) as numbered (day_at)
),

final as (
    select days.*
    from days
    where
        not exists (
            select 1 from infections
            where
                infections.person_key = days.person_key
                and days.monitored_on between infections.from_date and infections.to_date
        )
)

select * from final
