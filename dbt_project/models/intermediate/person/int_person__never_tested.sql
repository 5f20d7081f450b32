-- Articles 18 and 21: one row per person who is in the town on D and has never given a counting sample.
{{ config(indexes=[{'columns': ['person_key'], 'unique': true}]) }}

with persons as (select * from {{ ref('int_population__persons') }}),

sampled as (
    select person_key from {{ ref('int_sample__person_dates') }}
    where cardinality(sample_dates) > 0
),

final as (
    select persons.*
    from persons
    left join sampled on persons.person_key = sampled.person_key
    where sampled.person_key is null
)

select * from final
