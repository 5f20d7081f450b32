{% macro postgres__persist_docs(relation, model, for_relation, for_columns) -%}
    {%- set statements = comments(relation, model) -%}
    {%- if statements -%}{%- do run_query(statements) -%}{%- endif -%}
{%- endmacro %}

{% macro comments(relation, model) -%}
    {#- It builds one statement per relation; describing a column that does not exist is an error. A column's Chinese title
        precedes its description, where readers and their tools find it. -#}
    {%- set statements = [] -%}
    {%- if config.persist_relation_docs() and model.description -%}
        {%- do statements.append(alter_relation_comment(relation, model.description)) -%}
    {%- endif -%}
    {%- if config.persist_column_docs() -%}
        {%- for column in model.columns.values() if column.description -%}
            {%- set label = column.get('config', {}).get('meta', {}).get('label') -%}
            {%- set comment = (label ~ ': ' if label else '') ~ column.description -%}
            {%- do statements.append(
                "comment on column " ~ relation ~ "." ~ column.name ~ " is '" ~ comment | replace("'", "''") ~ "';"
            ) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(statements | join("\n")) }}
{%- endmacro %}
