-- One row per person and attribute (name or phone) has the latest value in the test results, with its source record; a name may
-- be blank. The model is incremental. Only restricted.person is built from it. It has no index: nobody looks up single persons,
-- and an index takes two thirds of the time of a merge. A data test finds a person with two values.
{{ config(
    materialized=kept(),
    incremental_strategy='merge',
    unique_key=['person_key', 'attribute'],
    post_hook=["{{ forget_untold() }}", "{{ note_increment() }}"],
) }}

{% set changes = ref('int_sample__changes') %}

with told as (
    {% if goes_on() -%}
    {{ told_anew(this, changes) }}
    {%- else -%}
    {{ told_by_samples('name', 'name') }}
    union all
    {{ told_by_samples('phone', 'phone') }}
    {%- endif %}
),

final as (
    select newest.*
    from (
        select distinct on (person_key, attribute) * from told
        order by person_key, attribute, value <> '' desc nulls last, updated_at desc, file_id desc, line desc
    ) as newest
)

select * from final
