-- The newest answer about each item that stands on a list on D is shown beside the item. It discharges nothing
-- (policy semantics, "Disposition").
{{ config(indexes=[{'columns': ['list', 'item_id'], 'unique': true}, {'columns': ['person_key']}]) }}

select * from {{ ref('list_item') }}
where result is not null
