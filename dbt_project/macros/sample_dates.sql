{% macro first_date(dates, from_date) -%}
    {#- The first of a list of dates on or after a date; null when there is none. -#}
    (
        select min(taken.sample_date) from unnest({{ dates }}) as taken (sample_date)
        where taken.sample_date >= {{ from_date }}
    )
{%- endmacro %}

{% macro last_date(dates, to_date) -%}
    {#- The last of a list of dates, newest first, up to a date; reads no further than it must. -#}
    (
        select taken.sample_date from (select unnest({{ dates }}) as sample_date) as taken
        where taken.sample_date <= {{ to_date }}
        limit 1
    )
{%- endmacro %}
