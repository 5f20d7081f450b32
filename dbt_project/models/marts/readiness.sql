-- Articles 34 to 37: one row per reserve team type, level and community compares the required people with those listed.
with requirements as (select * from {{ ref('int_readiness__requirements') }}),

teams as (
    select
        team_type,
        level,
        -- The office's teams serve the whole town, so their community is ignored.
        case when level = '街道' then '' else community end as community,
        person_key,
        origin
    from {{ ref('stg_platform__teams') }}
),

counted as (
    select
        team_type,
        level,
        community,
        count(distinct person_key) as listed,
        count(distinct person_key) filter (where origin = '街道办') as listed_office,
        count(distinct person_key) filter (where origin = '公安') as listed_police,
        count(distinct person_key) filter (where origin = '卫生') as listed_health
    from teams
    group by team_type, level, community
),

-- Teams that the plan does not require are shown too, with 0 people required.
joined as (
    select
        coalesce(requirements.team_type, counted.team_type) as team_type,
        coalesce(requirements.level, counted.level) as level,
        coalesce(requirements.community, counted.community) as community,
        coalesce(requirements.required, 0) as required,
        requirements.at_most,
        requirements.required_office,
        requirements.required_police,
        requirements.required_health,
        requirements.teams_required,
        requirements.basis,
        coalesce(counted.listed, 0) as listed,
        coalesce(counted.listed_office, 0) as listed_office,
        coalesce(counted.listed_police, 0) as listed_police,
        coalesce(counted.listed_health, 0) as listed_health
    from requirements
    full outer join counted
        on
            requirements.team_type = counted.team_type
            and requirements.level = counted.level
            and requirements.community = counted.community
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        team_type,
        level,
        community,
        required,
        at_most,
        listed::int as listed,
        greatest(required - listed, 0)::int as shortfall,
        coalesce(greatest(listed - at_most, 0), 0)::int as surplus,
        listed_office::int as listed_office,
        listed_police::int as listed_police,
        listed_health::int as listed_health,
        -- The plan prescribes a mix of origins only for the office's tracing team, so mix_ok is true for all others.
        listed_office >= coalesce(required_office, 0)
        and listed_police >= coalesce(required_police, 0)
        and listed_health >= coalesce(required_health, 0) as mix_ok,
        teams_required,
        case
            when teams_required is not null
                then (count(*) filter (where listed > 0 and teams_required is not null) over (partition by team_type, level))::int
        end as teams_listed,
        basis
    from joined
)

select * from final
