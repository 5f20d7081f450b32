{#- Models that are kept from build to build and take in only what changed (docs/decisions/increments-of-samples.md).

    A model's SQL selects what is to be written: everything when `increment_since()` is none, else what the changes
    touch. `partition_by` names a date by whose days the table is partitioned; without it, rows are replaced by
    `unique_key`. Rows that must go first are deleted by the model's pre-hook. -#}

{% macro is_kept() -%}
    {#- Whether models are kept from build to build: Spark, and the target dev, make them anew each time. -#}
    {%- do return(target.type != 'spark' and target.name != 'dev') -%}
{%- endmacro %}

{% macro kept() -%}
    {#- How a model that is kept from build to build is made. -#}
    {{ 'increment' if is_kept() else 'table' }}
{%- endmacro %}

{% macro on_postgres(statement) -%}
    {{ statement if target.type != 'spark' }}
{%- endmacro %}

{% macro increment_since() -%}
    {#- The change after which this build reads; none: everything is read anew. -#}
    {%- if execute and is_kept() -%}
        {%- do return(run_query('select since_change_id from ' ~ ref('int_sample__bounds')).columns[0].values()[0]) -%}
    {%- endif -%}
    {%- do return(none) -%}
{%- endmacro %}

{% macro changed_files() -%}
    {#- The files of which samples came, as a list for `in`. -#}
    {{ _listed('distinct file_id', 'int_sample__changes', 'came', 'null::bigint') }}
{%- endmacro %}

{% macro changed_days() -%}
    {#- The days of the samples that came or went, as a list for `in`: PostgreSQL leaves other days' partitions alone. -#}
    {{ _listed('distinct sample_date', 'int_sample__changes', 'true', 'null::date') }}
{%- endmacro %}

{% macro _listed(columns, model, condition, nothing) -%}
    {%- set found = run_query('select ' ~ columns ~ ' from ' ~ ref(model) ~ ' where ' ~ condition).columns[0].values() if execute else [] -%}
    {%- for value in found %}{{ "'" ~ value ~ "'" }}{{ ', ' if not loop.last }}{% endfor -%}
    {{ nothing if not found }}
{%- endmacro %}

{% macro project_digest() -%}
    {{ env_var('YINGJIAN_PROJECT_DIGEST', '') }}
{%- endmacro %}

{% macro increments() -%}
    {#- Every model that is kept from build to build, and the digest of the project that makes it: its code, the macros,
        and the policy's seeds. -#}
    {%- set found = [] -%}
    {%- if execute -%}
        {%- for node in graph.nodes.values() if node.resource_type == 'model' and node.config.materialized == 'increment' -%}
            {%- do found.append((node.schema ~ '.' ~ node.alias, project_digest())) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- do return(found) -%}
{%- endmacro %}

{% macro may_go_on() -%}
    {#- False when a build was asked to read everything (--full-refresh). -#}
    {{ not (flags is defined and flags.FULL_REFRESH) }}
{%- endmacro %}

{% materialization increment, adapter='postgres' %}
    {%- set old = load_cached_relation(this) -%}
    {%- set table = this.incorporate(type='table') -%}
    {%- set partition_by = config.get('partition_by') -%}
    {%- set is_new = increment_since() is none -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {% if is_new %}
        {% if old is not none %}{% do adapter.drop_relation(old) %}{% endif %}
        {% if partition_by %}
            {% call statement('define') -%}
                create temp table definition on commit drop as select * from ({{ sql }}) as defined limit 0;
                create table {{ table }} (like pg_temp.definition) partition by range ({{ partition_by }});
            {%- endcall %}
        {% endif %}
    {% else %}
        {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% endif %}
    {%- set days = [] -%}
    {% if partition_by %}
        {%- set days = run_query('select distinct ' ~ partition_by ~ ' from (' ~ sql ~ ') as written').columns[0].values() -%}
        {% for day in days %}{% do run_query(day_partition(table, day)) %}{% endfor %}
    {% endif %}
    {%- set key = config.get('unique_key') -%}
    {% call statement('main') -%}
        {% if is_new and not partition_by -%}
        {#- By several processes, which an insert is not, and which PostgreSQL thinks dearer than they are on one machine.
            Room on each page for the next version of its rows, so that no index changes with them. #}
        set local parallel_tuple_cost = 0.01;
        create unlogged table {{ table }} with (fillfactor = 60) as
        {{ sql }}
        {%- else -%}
        insert into {{ table }} as kept
        {{ sql }}
        {% if not is_new and key -%}
            on conflict ({{ key }}) do update set
            {% for column in adapter.get_columns_in_relation(table) if column.name != key -%}
                {{ column.name }} = excluded.{{ column.name }}{{ ',' if not loop.last }}
            {%- endfor %}
            where kept is distinct from excluded
        {%- endif %}
        {%- endif %}
    {%- endcall %}
    {% if is_new %}{% do create_indexes(table) %}{% endif %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {% do run_query(
        "insert into intermediate.increment_progress (model, definition, change_id) select '" ~ this.schema ~ '.' ~ this.name
        ~ "', '" ~ project_digest() ~ "', through_change_id from " ~ ref('int_sample__bounds')
        ~ " on conflict (model) do update set definition = excluded.definition, change_id = excluded.change_id"
    ) %}
    {#- Of a partitioned table the days that were touched; the whole, which reads from every day, once it has grown. -#}
    {% for day in days %}{% do run_query('analyze ' ~ day_table(table, day)) %}{% endfor %}
    {% if not partition_by %}
        {% do run_query('analyze ' ~ table) %}
    {% elif has_grown(table) %}
        {% do run_query('analyze only ' ~ table) %}
    {% endif %}
    {% do apply_grants(table, config.get('grants'), should_revoke=False) %}
    {% do persist_docs(table, model) %}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [table]}) }}
{% endmaterialization %}

{% macro has_grown(table) -%}
    {#- Whether the days of a partitioned table hold a tenth more rows than when the whole was analysed last, if it ever was. -#}
    {%- set grown = run_query(
        "select (select sum(days.reltuples) from pg_inherits inner join pg_class as days on inhrelid = days.oid where inhparent = whole.oid)"
        ~ " > 1.1 * whole.reltuples from pg_class as whole where whole.oid = '" ~ table ~ "'::regclass"
    ) -%}
    {%- do return(grown.columns[0].values()[0]) -%}
{%- endmacro %}

{% macro day_table(table, day) -%}
    {{ table.schema }}.{{ table.name }}_{{ day.strftime('%Y%m%d') if day.year >= 2020 else 'before' }}
{%- endmacro %}

{% macro day_partition(table, day) -%}
    {#- A day's own partition; what a slip of the pen dates before the epidemic shares one. -#}
    create unlogged table if not exists {{ day_table(table, day) }} partition of {{ table }}
    {% if day.year >= 2020 -%}
        for values from ('{{ day }}') to ('{{ day + modules.datetime.timedelta(days=1) }}')
    {%- else -%}
        for values from (minvalue) to ('2020-01-01')
    {%- endif %}
{%- endmacro %}
