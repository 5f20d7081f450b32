-- Policy semantics, "Tests that count": a nucleic-acid sample up to D whose result is not 无效; 待出 counts.
{{ config(materialized='rebuilt_view') }}

select * from {{ ref('int_sample__by_day') }}
where sample_date <= {{ as_of_date() }}
