-- Article 6: a person who leaves a high-risk post is isolated for seven days. This mart has one row per ended post after which
-- nobody put the person under A06. It is for the owner of the roster and creates no obligation.
with roster as (
    select * from {{ ref('int_membership__records') }}
    where is_roster
),

rules as (
    select * from {{ ref('int_policy__rules') }}
    where {{ as_of_date() }} between effective_from and effective_to
),

posts as (
    select
        roster.*,
        rules.group_name,
        rules.departments
    from roster
    inner join rules on roster.group_code = rules.group_code and rules.is_high_risk_post
),

departures as (
    select * from {{ ref('int_membership__unified') }}
    where group_code = 'A06'
),

-- The edition in force on the end date decides whether people who leave are followed at all.
ended as (
    select posts.* from posts
    inner join {{ ref('int_policy__rules') }} as leaving
        on
            leaving.group_code = 'A06'
            and leaving.rule_family <> 'none'
            and posts.end_date between leaving.effective_from and leaving.effective_to
    where
        posts.end_date <= {{ as_of_date() }}
        and posts.end_date >= {{ as_of_date() }} - {{ parameter('departure_list_days', as_of_date()) }}
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        ended.membership_id,
        ended.person_key,
        ended.group_code,
        ended.group_name,
        ended.end_date as ended_on,
        coalesce(ended.unit, '') as unit,
        coalesce(nullif(ended.department, ''), ended.departments) as department,
        coalesce(ended.community, '') as community,
        coalesce(ended.grid, '') as grid
    from ended
    where
        not exists (
            select 1 from departures
            where departures.person_key = ended.person_key and departures.anchor_date >= ended.end_date
        )
        -- A person with another high-risk post on the next day has not left.
        and not exists (
            select 1 from posts
            where
                posts.person_key = ended.person_key
                and posts.membership_id <> ended.membership_id
                and ended.end_date + 1 between posts.start_date and coalesce(posts.end_date, 'infinity'::date)
        )
)

select * from final
