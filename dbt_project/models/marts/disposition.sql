-- This mart has one row per answered item of the lists on D, with its newest answer. An answer discharges nothing (policy
-- semantics, "Disposition").
{{ config(indexes=[{'columns': ['list', 'item_id'], 'unique': true}, {'columns': ['person_key']}]) }}

select * from {{ ref('list_item') }}
where result is not null
