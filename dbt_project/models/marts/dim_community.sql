-- Every community that a row of the day may name; the one without a name stands last.
with named as (
    select community from {{ ref('obligation') }}
    union
    select community from {{ ref('grid_population') }}
    union
    select community from {{ ref('bridge_zone_community') }}
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        community,
        coalesce(nullif(community, ''), '（未填）') as title,
        row_number() over (order by community = '', community collate "C")::int as sort_order
    from named
)

select * from final
