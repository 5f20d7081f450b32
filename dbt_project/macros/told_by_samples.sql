{% macro told_by_samples(attribute, column) -%}
    {#- What every test result says of its person in a column, with the record that says it. -#}
    select
        person_key,
        '{{ attribute }}' as attribute,
        id_type,
        id_number,
        {{ column }} as value,
        updated_at,
        file_id,
        line
    from {{ ref('stg_platform__sample_identities') }}
    where {{ column }} <> ''
{%- endmacro %}
