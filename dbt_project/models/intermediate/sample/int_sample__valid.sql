-- Every nucleic-acid sample whose result is not 无效, whatever its day (policy semantics, "Tests that count"); 待出 counts.
{{ config(materialized='rebuilt_view') }}

select * from {{ ref('int_sample__records') }}
where result <> '无效'
