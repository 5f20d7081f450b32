-- Articles 18 and 21: one row per person who has never been tested, so that somebody asks why. Counts by grid are in
-- grid_population.
{{ config(indexes=[{'columns': ['person_key'], 'unique': true}]) }}

with persons as (select * from {{ ref('int_person__never_tested') }}),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        person_key,
        community,
        grid,
        is_registered,
        is_key_person
    from persons
)

select * from final
