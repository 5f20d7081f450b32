-- Articles 25 and 26: one row per contact has the time from 判定时间 to the isolation that stops the clock, as known by the end of
-- D. The edition in force on 末次接触日期 says which place of isolation stops the clock, and whether the category is followed at all;
-- transport alone does not stop it.
{{ config(indexes=[{'columns': ['contact_key'], 'unique': true}]) }}

with controls as (
    select
        effective_from,
        effective_to,
        clock_place,
        case group_code when '35' then '密接' when '36' then '次密接' end as category
    from {{ ref('int_policy__controls') }}
    where group_code in ('35', '36') and is_followed
),

contacts as (
    select
        contacts.*,
        controls.clock_place,
        {{ parameter('contact_isolation_hours', 'contacts.judged_at::date') }} as allowed_hours
    from {{ ref('stg_platform__contacts') }} as contacts
    inner join controls
        on
            contacts.category = controls.category
            and contacts.last_exposure_date between controls.effective_from and controls.effective_to
    where contacts.judged_at < {{ as_of_date() }} + 1
),

infected as (
    select
        person_key,
        max(coalesce(discharge_date, 'infinity'::date)) as infected_until
    from {{ ref('stg_platform__cases') }}
    where sample_date <= {{ as_of_date() }}
    group by person_key
),

-- A time after the end of D is not known yet.
known as (
    select
        contacts.*,
        contacts.judged_at + interval '1 hour' * contacts.allowed_hours as deadline,
        case when contacts.isolated_at < {{ as_of_date() }} + 1 then contacts.isolated_at end as recorded_isolated_at,
        case when contacts.transferred_at < {{ as_of_date() }} + 1 then contacts.transferred_at end as known_transferred_at,
        coalesce(infected.infected_until >= contacts.judged_at::date, false) as is_infected
    from contacts
    left join infected on contacts.person_key = infected.person_key
),

evidence as (
    select
        *,
        case
            when isolation_method = '集中' or isolation_method = '居家' and clock_place = '集中或居家'
                then recorded_isolated_at
        end as stopped_at
    from known
),

final as (
    select
        contact_key,
        person_key,
        case_key,
        category,
        coalesce(community, '') as community,
        coalesce(grid, '') as grid,
        judged_at,
        clock_place,
        allowed_hours,
        deadline,
        known_transferred_at as transferred_at,
        recorded_isolated_at,
        case when recorded_isolated_at is not null then isolation_method end as mode,
        stopped_at as isolated_at,
        is_infected,
        case
            when stopped_at <= deadline then 'in_time'
            when stopped_at is not null then 'late'
            when deadline < {{ as_of_date() }} + 1 then 'overdue'
            else 'running'
        end as status
    from evidence
)

select * from final
