-- Article 16: one row per resident in the register whose stay, from 迁入日期 to 迁出日期, includes D.
{{ config(materialized='rebuilt_view') }}

select * from {{ ref('stg_platform__residents') }}
where {{ as_of_date() }} between coalesce(moved_in_date, '-infinity'::date) and coalesce(moved_out_date, 'infinity'::date)
