-- Article 16: whom the register of residents has in the town on D: the stay, from 迁入日期 to 迁出日期, includes that day.
{{ config(materialized='rebuilt_view') }}

select * from {{ ref('stg_platform__residents') }}
where {{ as_of_date() }} between coalesce(moved_in_date, '-infinity'::date) and coalesce(moved_out_date, 'infinity'::date)
