{#- These tables and views are recreated in every build, each in one transaction of two statements
    (docs/decisions/rebuilt.md). -#}

{% materialization rebuilt_table, adapter='postgres' -%}
    {{ return({'relations': [rebuild(this.incorporate(type='table'), create_table(this, rows_of(sql)))]}) }}
{%- endmaterialization %}

{% macro create_table(relation, sql) -%}
    {#- It creates a table as dbt does, except for a mart: dbt would insert the rows into an empty table, and PostgreSQL runs the
        query of an insert in one process, but that of a new table in several. -#}
    {%- if not config.get('contract').enforced -%}
        {{ return(get_create_table_as_sql(False, relation, sql)) }}
    {%- endif -%}
    {%- set columns = [] -%}
    {%- for column in model.columns.values() -%}
        {%- do columns.append(column.name ~ (' collate "default" as ' ~ column.name if column.data_type == 'text' else '')) -%}
    {%- endfor -%}
    {{ get_assert_columns_equivalent(sql) }}
    create table {{ relation }} as select {{ columns | join(', ') }} from ({{ sql }}) as model_rows
{%- endmacro %}

{% macro constraints(relation) -%}
    {%- set columns = [] -%}
    {%- for column in model.columns.values() if column.constraints -%}
        {%- do columns.append('alter column ' ~ column.name ~ ' set not null') -%}
    {%- endfor -%}
    {%- if columns -%} alter table {{ relation }} {{ columns | join(', ') }}; {%- endif -%}
{%- endmacro %}

{% macro rows_of(sql) -%}
    {#- It returns the query for a model's rows: its own SQL, or a query of the table that Spark computed (docs/spark.md). -#}
    {%- set tables = env_var('YINGJIAN_SPARK_TABLES', '') -%}
    {%- set computed = adapter.get_relation(this.database, 'spark', this.identifier ~ '__' ~ tables) if tables -%}
    {{ return('select * from ' ~ computed if computed else sql) }}
{%- endmacro %}

{% materialization rebuilt_view, adapter='postgres' -%}
    {{ return({'relations': [rebuild(this.incorporate(type='view'), get_create_view_as_sql(this, sql))]}) }}
{%- endmaterialization %}

{% macro rebuild(relation, create_sql) -%}
    {%- set existing = load_cached_relation(this) -%}
    {% call statement('main') -%}
        {%- if existing %} drop {{ existing.type }} if exists {{ existing }} cascade; {% endif -%}
        {{ create_sql }}
    {%- endcall %}
    {%- set finishing = [constraints(relation), comments(relation, model)] -%}
    {%- for index in config.get('indexes', []) -%}
        {%- do finishing.append(get_create_index_sql(relation, index) ~ ';') -%}
    {%- endfor -%}
    {%- for hook in post_hooks -%}
        {%- do finishing.append(render(hook.sql) ~ ';') -%}
    {%- endfor -%}
    {% do run_query(finishing | join('\n')) %}
    {% do apply_grants(relation, config.get('grants'), should_revoke=False) %}
    {% do adapter.commit() %}
    {{ return(relation) }}
{%- endmacro %}
