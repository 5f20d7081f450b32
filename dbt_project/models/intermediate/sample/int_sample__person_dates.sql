-- The distinct dates up to D on which a person gave a counting sample, newest first, as a list.
{{ config(materialized='rebuilt_view') }}

select
    person_key,
    {{ up_to('sample_dates', as_of_date()) }} as sample_dates
from {{ ref('int_sample__dates') }}
