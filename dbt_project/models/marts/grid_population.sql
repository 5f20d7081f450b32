-- Article 16: residents, floating population and key persons of each grid.
with persons as (select * from {{ ref('int_population__persons') }}),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        community,
        grid,
        (count(*) filter (where is_registered))::int as population,
        (count(*) filter (where is_registered and resident_type = '常住'))::int as residents,
        (count(*) filter (where is_registered and resident_type = '流动'))::int as floating,
        (count(*) filter (where is_registered and resident_type is null))::int as type_unknown,
        (count(*) filter (where is_key_person))::int as key_persons,
        (count(*) filter (where is_key_person and not is_registered))::int as key_persons_not_registered
    from persons
    group by community, grid
)

select * from final
