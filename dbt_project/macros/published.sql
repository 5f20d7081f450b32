{% macro published_rows(table, columns) -%}
    {#- Rows of every publication so far; before the first one there is no such table, and no row. -#}
    {%- set relation = adapter.get_relation(target.database, 'published', table) if execute else none -%}
    {%- if relation %}
    select {{ columns.keys() | join(', ') }}
    from published.{{ table }}
    {%- else %}
    select {% for name, type in columns.items() %}null::{{ text_type() if type == 'text' else type }} as {{ name }}{% if not loop.last %}, {% endif %}{% endfor %}
    where false
    {%- endif %}
{%- endmacro %}
