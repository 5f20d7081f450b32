-- The distinct dates on which a person gave a counting sample: several samples on one date count once.
{{ config(indexes=[{'columns': ['person_key', 'sample_date'], 'unique': true}]) }}

with samples as (select * from {{ ref('int_sample__counting') }})

select distinct
    person_key,
    sample_date
from samples
