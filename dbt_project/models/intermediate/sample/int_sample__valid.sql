-- One row per nucleic-acid sample of any day whose result is not 无效; 待出 counts (policy semantics, "Tests that count").
{{ config(materialized='rebuilt_view') }}

select * from {{ ref('int_sample__records') }}
where result <> '无效'
