-- Article 24: one row per regional screening round and building, for staff who go from door to door.
with rounds as (select * from {{ ref('int_screening__rounds') }}),

persons as (select * from {{ ref('int_screening__persons') }}),

counted as (
    select
        round_id,
        community,
        grid,
        building,
        count(*) as in_scope,
        count(*) filter (where is_in_time) as sampled_in_time,
        count(*) filter (where is_late) as sampled_late,
        count(*) filter (where is_outstanding) as outstanding,
        max(sampled_at) as last_sampled_at
    from persons
    group by round_id, community, grid, building
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        rounds.round_id,
        counted.community,
        counted.grid,
        counted.building,
        rounds.started_at,
        rounds.deadline,
        counted.in_scope::int as in_scope,
        counted.sampled_in_time::int as sampled_in_time,
        counted.sampled_late::int as sampled_late,
        counted.outstanding::int as outstanding,
        round((counted.in_scope - counted.outstanding)::numeric / counted.in_scope, 4)::double precision as coverage,
        case when counted.outstanding = 0 then counted.last_sampled_at end as completed_at
    from counted
    inner join rounds on counted.round_id = rounds.round_id
)

select * from final
