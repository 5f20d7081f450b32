-- Articles 34 to 37: one row per required reserve team: the office's tracing team, those of each community, and the lists for
-- sampling, isolation and transfer, for which the plan gives no number.
with residents as (select * from {{ ref('int_population__registered') }}),

teams as (select * from {{ ref('stg_platform__teams') }}),

communities as (
    select community from residents where community <> ''
    union
    select community from teams where level = '社区' and community <> ''
),

numbers as (
    select
        {% for name in [
            'office_team_size', 'office_team_office', 'office_team_police', 'office_team_health',
            'community_teams', 'community_team_min', 'community_team_max', 'reserve_list_min',
        ] %}
        {{ parameter(name, as_of_date()) }} as {{ name }}{{ ',' if not loop.last }}
        {% endfor %}
),

office as (
    select
        '流调' as team_type,
        '街道' as level,
        '' as community,
        office_team_size as required,
        office_team_size as at_most,
        office_team_office as required_office,
        office_team_police as required_police,
        office_team_health as required_health,
        null::int as teams_required,
        '第三十七条' as basis
    from numbers
),

in_communities as (
    select
        '流调' as team_type,
        '社区' as level,
        communities.community,
        numbers.community_team_min as required,
        numbers.community_team_max as at_most,
        null::int as required_office,
        null::int as required_police,
        null::int as required_health,
        numbers.community_teams as teams_required,
        '第三十七条' as basis
    from communities
    cross join numbers
),

lists as (
    select
        listed.team_type,
        '街道' as level,
        '' as community,
        numbers.reserve_list_min as required,
        null::int as at_most,
        null::int as required_office,
        null::int as required_police,
        null::int as required_health,
        null::int as teams_required,
        listed.basis
    from (values ('采样', '第三十四条'), ('隔离', '第三十五条'), ('转运', '第三十六条')) as listed (team_type, basis)
    cross join numbers
),

final as (
    select * from office
    union all
    select * from in_communities
    union all
    select * from lists
)

select * from final
