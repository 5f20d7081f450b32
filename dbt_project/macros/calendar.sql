{% macro as_of_date() -%}
    {#- The business date D of this run (policy semantics, "Time"). No model reads the clock. -#}
    {%- set value = var('as_of_date', none) -%}
    {%- if execute and value is none -%}
        {{ exceptions.raise_compiler_error("as_of_date is not set: run with --vars '{as_of_date: YYYY-MM-DD}'") }}
    {%- endif -%}
    date '{{ value or "0001-01-01" }}'
{%- endmacro %}

{% macro chinese_date(expression) -%}
    to_char({{ expression }}, 'FMMM"月"FMDD"日"')
{%- endmacro %}

{% macro clock_time(expression) -%}
    to_char({{ expression }}, 'HH24:MI')
{%- endmacro %}

{% macro chinese_time(expression) -%}
    to_char({{ expression }}, 'FMMM"月"FMDD"日"HH24:MI')
{%- endmacro %}

{% macro chinese_dates(dates) -%}
    {#- It writes a list of dates, the earliest first, as one text. -#}
    (
        select string_agg({{ chinese_date('taken.sample_date') }}, '、' order by taken.sample_date)
        from unnest({{ dates }}) as taken (sample_date)
    )
{%- endmacro %}
