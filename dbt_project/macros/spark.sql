{#- dbt-spark does these things otherwise than this project needs. -#}

{% macro spark__apply_grants(relation, grant_config, should_revoke=True) -%}
    {#- PostgreSQL decides who reads what: a Spark session has one user. -#}
{%- endmacro %}

{% macro spark__create_csv_table(model, agate_table) -%}
    {%- set types = model.config.column_types -%}
    {%- call statement('create_seed') -%}
        create table {{ this }} (
            {%- for column in agate_table.column_names %}
            {{ column }} {{ spark_type(types.get(column, adapter.convert_type(agate_table, loop.index0))) }}{{ ',' if not loop.last }}
            {%- endfor %}
        ) using parquet
    {%- endcall -%}
{%- endmacro %}

{% macro spark__load_csv_rows(model, agate_table) -%}
    {#- dbt-spark's own binds an empty cell as the word None, and knows no type text. -#}
    {%- set types = model.config.column_types -%}
    {%- set statement_text -%}
        insert into {{ this }} values
        {%- for row in agate_table.rows %}
        ({% for column in agate_table.column_names -%}
            {{ spark_literal(row[column]) }}::{{ spark_type(types.get(column, adapter.convert_type(agate_table, loop.index0))) }}{{ ', ' if not loop.last }}
        {%- endfor %}){{ ',' if not loop.last }}
        {%- endfor %}
    {%- endset -%}
    {%- do adapter.add_query(statement_text, abridge_sql_log=True) -%}
    {{ return(statement_text) }}
{%- endmacro %}

{% macro spark_type(type) -%}
    {{ {'text': text_type(), 'numeric': exact_type()}.get(type, type) }}
{%- endmacro %}

{% macro spark_literal(value) -%}
    {{ 'null' if value is none else "'" ~ value ~ "'" }}
{%- endmacro %}
