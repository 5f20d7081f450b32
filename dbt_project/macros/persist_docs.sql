{% macro postgres__persist_docs(relation, model, for_relation, for_columns) -%}
    {#- One statement per relation; a column that is described and does not exist is an error. The Chinese title of a
        column stands before its text, where readers and their tools find it. -#}
    {%- set comments = [] -%}
    {%- if for_relation and config.persist_relation_docs() and model.description -%}
        {%- do comments.append(alter_relation_comment(relation, model.description)) -%}
    {%- endif -%}
    {%- if for_columns and config.persist_column_docs() -%}
        {%- for column in model.columns.values() if column.description -%}
            {%- set label = column.get('config', {}).get('meta', {}).get('label') -%}
            {%- set comment = (label ~ ': ' if label else '') ~ column.description -%}
            {%- do comments.append(
                "comment on column " ~ relation ~ "." ~ column.name ~ " is '" ~ comment | replace("'", "''") ~ "';"
            ) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- if comments -%}{%- do run_query(comments | join("\n")) -%}{%- endif -%}
{%- endmacro %}
