{% macro generate_schema_name(custom_schema_name, node) -%}
    {#- A model's schema is the one its folder names; nothing is prefixed. On the target dev all are in one of one's own. -#}
    {{ (target.schema if target.name == 'dev' else custom_schema_name or target.schema) | trim }}
{%- endmacro %}
