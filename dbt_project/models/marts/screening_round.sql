-- Articles 24 and 34: one row per regional screening round, community and grid counts who was sampled in time, late, or not
-- yet. A place that the notice names but the register of residents lacks appears with nobody in scope.
with rounds as (select * from {{ ref('int_screening__rounds') }}),

persons as (select * from {{ ref('int_screening__persons') }}),

counted as (
    select
        round_id,
        community,
        grid,
        count(*) as in_scope,
        count(*) filter (where is_in_time) as sampled_in_time,
        count(*) filter (where is_late) as sampled_late,
        count(*) filter (where is_outstanding) as outstanding,
        count(*) filter (where is_outstanding and is_infected) as outstanding_infected,
        max(sampled_at) as last_sampled_at
    from persons
    group by round_id, community, grid
),

-- 95 % of a place are sampled with the sample of this person: the 19th of 20, the 20th of 21.
placed as (
    select
        *,
        row_number() over (partition by round_id, community, grid order by sampled_at nulls last) as place,
        count(*) over (partition by round_id, community, grid) as in_scope
    from persons
),

nearly_all as (
    select
        round_id,
        community,
        grid,
        sampled_at
    from placed
    where place = ceil(in_scope * 0.95::numeric)
),

named as (
    select
        round_id,
        unnest(communities) as community,
        '' as grid
    from rounds
    union
    select
        round_id,
        '' as community,
        unnest(grids) as grid
    from rounds
    union
    select
        round_id,
        '' as community,
        '' as grid
    from rounds
    where cardinality(communities) = 0 and cardinality(grids) = 0
),

nobody as (
    select * from named
    where
        not exists (
            select 1 from counted
            where
                counted.round_id = named.round_id
                and (named.community = '' or counted.community = named.community)
                and (named.grid = '' or counted.grid = named.grid)
        )
),

places as (
    select
        round_id,
        community,
        grid
    from counted
    union all
    select
        round_id,
        community,
        grid
    from nobody
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        rounds.round_id,
        places.community,
        places.grid,
        rounds.started_at,
        rounds.deadline,
        rounds.ended_at,
        coalesce(counted.in_scope, 0)::int as in_scope,
        coalesce(counted.sampled_in_time, 0)::int as sampled_in_time,
        coalesce(counted.sampled_late, 0)::int as sampled_late,
        coalesce(counted.outstanding, 0)::int as outstanding,
        coalesce(counted.outstanding_infected, 0)::int as outstanding_infected,
        round((counted.in_scope - counted.outstanding)::numeric / counted.in_scope, 4)::double precision as coverage,
        case when counted.outstanding = 0 then counted.last_sampled_at end as completed_at,
        case
            when counted.in_scope is null then 'nobody_in_scope'
            when counted.outstanding = 0 then 'complete'
            when rounds.deadline < {{ as_of_date() }} + 1 then 'overdue'
            else 'running'
        end as status,
        (extract(epoch from nearly_all.sampled_at - rounds.started_at) / 3600)::double precision as hours_to_95_percent
    from places
    inner join rounds on places.round_id = rounds.round_id
    left join counted
        on
            places.round_id = counted.round_id
            and places.community = counted.community
            and places.grid = counted.grid
    left join nearly_all
        on
            places.round_id = nearly_all.round_id
            and places.community = nearly_all.community
            and places.grid = nearly_all.grid
)

select * from final
