{% macro generate_schema_name(custom_schema_name, node) -%}
    {#- A model's schema is the one that its folder names, without a prefix. On the target dev, all models share one schema. -#}
    {{ (target.schema if target.name == 'dev' else custom_schema_name or target.schema) | trim }}
{%- endmacro %}
