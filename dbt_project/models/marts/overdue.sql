-- This mart has one row per open obligation whose due date is D or earlier.
{{ config(indexes=[{'columns': ['community', 'department']}]) }}

with obligations as (select * from {{ ref('obligation') }})

select * from obligations
where status = 'overdue'
