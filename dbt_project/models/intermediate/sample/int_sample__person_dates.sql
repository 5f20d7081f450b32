-- One row per person has the distinct dates up to D with a counting sample as an array, newest first.
{{ config(materialized='rebuilt_view') }}

select
    person_key,
    {{ up_to('sample_dates', as_of_date()) }} as sample_dates
from {{ ref('int_sample__dates') }}
