-- Article 34: one row per screening round and hour since its start shows whether the round will finish in time at the rate so
-- far.
with rounds as (select * from {{ ref('int_screening__rounds') }}),

persons as (select * from {{ ref('int_screening__persons') }}),

scope as (
    select
        round_id,
        count(*) as in_scope
    from persons
    group by round_id
),

-- The hours end at the deadline or at the end of D, so the last one may be partial.
hours as (
    select
        rounds.round_id,
        rounds.started_at,
        rounds.allowed_hours,
        numbered.hour,
        least(rounds.started_at + interval '1 hour' * numbered.hour, {{ as_of_date() }} + 1) as measured_at
    from rounds
    cross join lateral generate_series(
        1,
        least(rounds.allowed_hours, ceil(extract(epoch from {{ as_of_date() }} + 1 - rounds.started_at) / 3600)::int)
    ) as numbered (hour)
),

-- A sample exactly on the hour belongs to the hour that ends then.
placed as (
    select
        round_id,
        sampled_at,
        greatest(ceil(extract(epoch from sampled_at - started_at) / 3600), 1)::int as hour
    from persons
    where sampled_at is not null
),

sampled as (
    select
        round_id,
        hour,
        count(*) as persons,
        max(sampled_at) as last_sampled_at
    from placed
    group by round_id, hour
),

cumulative as (
    select
        hours.*,
        coalesce(scope.in_scope, 0) as in_scope,
        extract(epoch from hours.measured_at - hours.started_at) / 3600 as elapsed_hours,
        (coalesce(sum(sampled.persons) over up_to_here, 0))::numeric as sampled,
        max(sampled.last_sampled_at) over up_to_here as last_sampled_at
    from hours
    left join scope on hours.round_id = scope.round_id
    left join sampled on hours.round_id = sampled.round_id and hours.hour = sampled.hour
    window up_to_here as (partition by hours.round_id order by hours.hour)
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        round_id,
        hour,
        measured_at,
        in_scope::int as in_scope,
        sampled::int as sampled,
        round(sampled / nullif(in_scope, 0), 4)::double precision as share,
        round(sampled / elapsed_hours, 2)::double precision as rate_per_hour,
        least(floor(sampled * allowed_hours / elapsed_hours), in_scope)::int as forecast_sampled,
        case when in_scope > 0 then sampled * allowed_hours >= in_scope * elapsed_hours end as is_on_track,
        case
            when sampled = in_scope then last_sampled_at
            when sampled > 0
                then
                    date_trunc(
                        'second', started_at + interval '1 second' * (elapsed_hours * 3600 * in_scope / sampled)::float
                    )
        end as forecast_done_at
    from cumulative
)

select * from final
