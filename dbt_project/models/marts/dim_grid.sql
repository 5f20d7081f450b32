-- Every grid that a row of the day may name, with its community.
with named as (
    select
        community,
        grid
    from {{ ref('obligation') }}
    union
    select
        community,
        grid
    from {{ ref('grid_population') }}
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
)

select * from final
