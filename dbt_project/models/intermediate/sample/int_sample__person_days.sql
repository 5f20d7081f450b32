-- One row per person and date up to D with a counting sample; several samples on one date count once.
{{ config(materialized='rebuilt_view') }}

select
    persons.person_key,
    days.sample_date
from {{ ref('int_sample__person_dates') }} as persons
cross join lateral unnest(persons.sample_dates) as days (sample_date)
