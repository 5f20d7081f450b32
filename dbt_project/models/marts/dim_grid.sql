-- This dimension has one row per community and grid that a row of another mart may name.
with named as (
    {% for mart in [
        'obligation', 'contact_clock', 'control', 'disposition_daily', 'grid_population', 'health_monitoring',
        'missing_departure', 'overdue_episode', 'pharmacy_followup', 'pool_followup', 'positive_followup',
        'request_followup', 'roster_correction', 'sampling_proposal', 'screening_round', 'signal',
        'terminal_disinfection', 'unscheduled', 'vaccination_outstanding', 'zone_blocker',
    ] %}
    select
        community,
        grid
    from {{ ref(mart) }}
    {% if not loop.last %}union{% endif %}
    {% endfor %}
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        community,
        grid,
        coalesce(nullif(community, ''), '（未填）') || coalesce(nullif(grid, ''), '（未填）') as title,
        row_number() over (
            order by community = '', community collate "C", grid = '', grid collate "C"
        )::int as sort_order
    from named
    where community is not null and grid is not null
)

select * from final
