-- A person's distinct dates with a counting sample, newest first: the small state that obligations are computed from.
-- Several samples on one date count once.
{{ config(indexes=[{'columns': ['person_key'], 'unique': true}]) }}

-- PostgreSQL reads them in order from the index of the samples by person and day, and sorts nothing.
select
    person_key,
    array_agg(distinct sample_date order by sample_date desc) as sample_dates
from {{ ref('int_sample__by_day') }}
group by person_key
