{% macro obligation_id() -%}
    membership_id || '/' || group_code || '/' || coalesce(slot::{{ text_type() }}, 'rolling')
{%- endmacro %}
