{#- These tables and views are recreated in every build, each in one transaction of two statements
    (docs/decisions/rebuilt.md). -#}

{% materialization rebuilt_table, adapter='postgres' -%}
    {{ return({'relations': [rebuild(this.incorporate(type='table'), get_create_table_as_sql(False, this, rows_of(sql)))]}) }}
{%- endmaterialization %}

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
    {%- set finishing = [comments(relation, model)] -%}
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
