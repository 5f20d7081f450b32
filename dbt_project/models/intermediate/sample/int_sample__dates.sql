-- One row per person has the distinct dates of counting samples, newest first. Obligations are computed from this small state
-- instead of the samples.
{{ config(indexes=[{'columns': ['person_key'], 'unique': true}]) }}

-- PostgreSQL reads the rows in order from the index by person and day, so it needs no sort.
select
    person_key,
    array_agg(distinct sample_date order by sample_date desc) as sample_dates
from {{ ref('int_sample__by_day') }}
group by person_key
