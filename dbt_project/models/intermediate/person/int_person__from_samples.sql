-- The test results say who a person key is, as they wrote it last: a row for the name, which may be empty, and one for the
-- telephone number, each with the record that it comes from. Kept from build to build. Only restricted.person is made from it.
{{ config(
    materialized=kept(),
    incremental_strategy='merge',
    unique_key=['person_key', 'attribute'],
    indexes=[{'columns': ['person_key', 'attribute'], 'unique': true}],
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
