{#- Only the run that owns the schema `build` may write it (docs/decisions/one-build.md). -#}

{% macro is_build() -%}
    {{ return(target.name == 'warehouse' and execute) }}
{%- endmacro %}

{% macro require_build() -%}
    {#- It raises an error unless this process owns the build of this business date. -#}
    {%- if is_build() and flags.WHICH in ('build', 'run', 'seed', 'snapshot', 'clone') -%}
        select publishing.require_build('{{ env_var('YINGJIAN_BUILD_TOKEN', '') }}', {{ as_of_date() }})
    {%- endif -%}
{%- endmacro %}

{% macro hand_over() -%}
    {%- if is_build() -%} alter table {{ this }} owner to build_owner {%- endif -%}
{%- endmacro %}

{% macro note_build() -%}
    {%- if is_build() -%}
        select publishing.note_mart('{{ this.identifier }}', '{{ env_var('YINGJIAN_BUILD_TOKEN', '') }}', {{ as_of_date() }})
    {%- endif -%}
{%- endmacro %}

{% macro analyze() -%}
    {#- PostgreSQL plans the next queries from a table's statistics; autovacuum would gather them too late. Statistics from a
        fifth of the usual sample lead to the same plans and take a third of the time. -#}
    {%- if 'view' not in config.get('materialized') -%} set local default_statistics_target = 20; analyze {{ this }} {%- endif -%}
{%- endmacro %}
