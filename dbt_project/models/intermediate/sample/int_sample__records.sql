-- One row per test result. If a sample came under both documents of a corrected person, only the version written last is kept.
{{ config(materialized='rebuilt_view') }}

select samples.* from {{ ref('stg_platform__test_results') }} as samples
where
    not exists (
        select 1 from {{ ref('int_sample__repeated') }} as repeated
        where samples.file_id = repeated.file_id and samples.line = repeated.line
    )
