{% macro generate_schema_name(custom_schema_name, node) -%}
    {#- A model's schema is the one its folder names; nothing is prefixed. -#}
    {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}
