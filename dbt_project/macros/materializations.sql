{#- Nobody reads the models' schemas while they are built, so a relation is dropped and made again in one transaction.
    dbt's own materializations rename the old and the new one around each other, which costs a fifth of a build. -#}

{% materialization table, adapter='postgres' %}
    {{ return(made_again('table')) }}
{% endmaterialization %}

{% materialization view, adapter='postgres' %}
    {{ return(made_again('view')) }}
{% endmaterialization %}

{% macro made_again(type) %}
    {%- set old = load_cached_relation(this) -%}
    {%- set new = this.incorporate(type=type) -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% call statement('main') -%}
        {% if old is not none -%} drop {{ old.type }} if exists {{ old }} cascade; {%- endif %}
        {{ get_create_table_as_sql(False, new, sql) if type == 'table' else get_create_view_as_sql(new, sql) }}
    {%- endcall %}
    {% if type == 'table' %}
        {% do create_indexes(new) %}
        {#- Whoever reads it next is planned by what it holds: autovacuum comes too late to say so. -#}
        {% do run_query('analyze ' ~ new) %}
    {% endif %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {% do apply_grants(new, config.get('grants'), should_revoke=False) %}
    {% do persist_docs(new, model) %}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [new]}) }}
{% endmacro %}

{% macro postgres__persist_docs(relation, model, for_relation, for_columns) -%}
    {#- One statement per relation; a column that is described and does not exist is an error. -#}
    {%- set comments = [] -%}
    {%- if for_relation and config.persist_relation_docs() and model.description -%}
        {%- do comments.append(alter_relation_comment(relation, model.description)) -%}
    {%- endif -%}
    {%- if for_columns and config.persist_column_docs() -%}
        {%- for column in model.columns.values() if column.description -%}
            {%- do comments.append(
                "comment on column " ~ relation ~ "." ~ column.name ~ " is " ~ postgres_escape_comment(column.description) ~ ";"
            ) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- if comments -%}{%- do run_query(comments | join("\n")) -%}{%- endif -%}
{%- endmacro %}
