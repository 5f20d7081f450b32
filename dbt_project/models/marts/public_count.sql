-- Article 31: one row per topic, figure and community counts what may be made public, before small counts are protected. Zeros
-- are included, so that figures add up to their topic and communities to the town. The counts stay in the build; only
-- public_figure, which protects them, is published.
with titles as (select * from {{ ref('public_figure_title') }} where not is_whole),

cases as (
    select
        coalesce(community, '') as community,
        case when case_type = '确诊' then 'confirmed' else 'asymptomatic' end as figure
    from {{ ref('stg_platform__cases') }}
    where
        source = '本土'
        and sample_date <= {{ as_of_date() }}
        and coalesce(reported_at::date, sample_date) = {{ as_of_date() }}
),

running as (select * from {{ ref('control') }} where status in ('in_isolation', 'in_monitoring')),

-- A person under several controls counts once, under the strictest.
controls as (
    select
        community,
        case when status = 'in_monitoring' then 'monitored' when place = '集中' then 'central' else 'home' end as figure
    from (
        select distinct on (person_key) * from running
        order by person_key, status, place = '集中' desc, ends_on desc, membership_id collate "C"
    ) as strictest
),

-- Screening figures use the newest round that is running on D.
rounds as (
    select * from {{ ref('screening_round') }}
    where
        round_id = (
            select round_id from {{ ref('screening_round') }}
            where deadline > {{ as_of_date() }}
            order by started_at desc, round_id collate "C" desc
            limit 1
        )
),

compliance as (select * from {{ ref('compliance_daily') }} where is_headline),

vaccination as (select * from {{ ref('vaccination_60plus') }}),

counted as (
    select
        'infection' as topic,
        figure,
        community,
        count(*) as value
    from cases
    group by figure, community
    union all
    select
        'control',
        figure,
        community,
        count(*)
    from controls
    group by figure, community
    union all
    select
        'screening',
        part.figure,
        rounds.community,
        sum(part.value)
    from rounds
    cross join lateral (
        select 'sampled' as figure, rounds.in_scope - rounds.outstanding as value
        union all
        select 'outstanding', rounds.outstanding
    ) as part
    group by part.figure, rounds.community
    union all
    select
        'testing',
        part.figure,
        compliance.community,
        sum(part.value)
    from compliance
    cross join lateral (
        select 'compliant' as figure, compliance.compliant as value
        union all
        select 'overdue', compliance.overdue
    ) as part
    group by part.figure, compliance.community
    union all
    select
        'vaccination',
        part.figure,
        vaccination.community,
        sum(part.value)
    from vaccination
    cross join lateral (
        select 'booster' as figure, vaccination.booster as value
        union all
        select 'full_course', vaccination.full_course - vaccination.booster
        union all
        select 'covered', vaccination.covered - vaccination.full_course
        union all
        select 'uncovered', vaccination.residents - vaccination.covered
    ) as part
    group by part.figure, vaccination.community
),

-- All named communities have rows, so that a missing one does not reveal that it has no cases.
communities as (
    select community from {{ ref('grid_population') }}
    union
    select community from counted
),

-- The screening topic needs a running round.
topics as (
    select distinct topic from titles
    where topic in ('infection', 'control', 'testing', 'vaccination') or (topic = 'screening' and exists (select 1 from rounds))
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        titles.topic,
        titles.figure,
        case when communities.community = '' then '社区未登记' else communities.community end as community,
        coalesce(counted.value, 0)::int as value
    from topics
    inner join titles on topics.topic = titles.topic
    cross join communities
    left join counted
        on
            titles.topic = counted.topic
            and titles.figure = counted.figure
            and communities.community = counted.community
)

select * from final
