-- Who a person key is, as the test results wrote it last: a row for the name and one for the telephone number, each with
-- the record that it comes from. Kept from build to build. Only restricted.person is made from it.
{{ config(
    materialized=kept(),
    unique_key='person_key, attribute',
    indexes=[{'columns': ['person_key', 'attribute'], 'unique': true}],
    post_hook="{{ on_postgres('delete from ' ~ this ~ ' where value is null') }}",
) }}
-- depends_on: {{ ref('int_sample__bounds') }}, {{ ref('int_sample__changes') }}

with told as (
    {% if increment_since() is none -%}
    {{ told_by_samples('name', 'name') }}
    union all
    {{ told_by_samples('phone', 'phone') }}
    {%- else -%}
    {{ told_anew(this) }}
    {%- endif %}
)

select *
from {{ first_per('told', 'person_key, attribute', 'updated_at desc, file_id desc, line desc') }} as newest
