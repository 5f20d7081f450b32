-- One row per nucleic-acid sample up to D whose result is not 无效; 待出 counts (policy semantics, "Tests that count").
{{ config(materialized='rebuilt_view') }}

select * from {{ ref('int_sample__by_day') }}
where sample_date <= {{ as_of_date() }}
