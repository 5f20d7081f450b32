{% macro published_before(table, columns) -%}
    {#- Rows of the publication before: the newest of the latest business date up to D. Before the first one there is no such
        table, and no row. Its number stands in the statement: PostgreSQL plans for its rows and leaves other publications
        alone. -#}
    {%- set last = run_query(
        'select publication_id from ' ~ source('published', 'publication') ~ ' where as_of_date <= ' ~ as_of_date()
        ~ ' order by as_of_date desc, publication_id desc limit 1'
    ).columns[0].values() if execute else [] -%}
    {%- if last %}
    select {{ columns.keys() | join(', ') }}
    from published.{{ table }}
    where publication_id = {{ last[0] }}
    {%- else %}
    select
        {%- for name, type in columns.items() %}
        null::{{ text_type() if type == 'text' else type }} as {{ name }}{{ ',' if not loop.last }}
        {%- endfor %}
    where false
    {%- endif %}
{%- endmacro %}
