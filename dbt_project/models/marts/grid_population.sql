-- Article 16: residents, floating population and key persons are counted for each grid.
with persons as (
    select
        population.*,
        never_tested.person_key is not null as is_never_tested
    from {{ ref('int_population__persons') }} as population
    left join {{ ref('int_person__never_tested') }} as never_tested on population.person_key = never_tested.person_key
),

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
        (count(*) filter (where is_key_person and not is_registered))::int as key_persons_not_registered,
        (count(*) filter (where is_registered and is_never_tested))::int as never_tested,
        (count(*) filter (where is_key_person and is_never_tested))::int as key_persons_never_tested
    from persons
    group by community, grid
)

select * from final
