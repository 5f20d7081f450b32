{#- These macros read arrays of dates, newest first, as int_sample__dates stores them. -#}

{% macro up_to(dates, to_date) -%}
    {#- It keeps the dates up to a date. -#}
    case
        when {{ dates }}[1] <= {{ to_date }} then {{ dates }}
        else array(
            select known.sample_date from unnest({{ dates }}) as known (sample_date)
            where known.sample_date <= {{ to_date }}
            order by known.sample_date desc
        )
    end
{%- endmacro %}

{% macro first_date(dates, from_date) -%}
    {#- It returns the first date on or after a given one, or null if there is none. -#}
    (
        select min(taken.sample_date) from unnest({{ dates }}) as taken (sample_date)
        where taken.sample_date >= {{ from_date }}
    )
{%- endmacro %}

{% macro last_date(dates, to_date) -%}
    {#- It returns the last date up to a given one. The array is sorted, so PostgreSQL stops at the first match. -#}
    (
        select taken.sample_date from (select unnest({{ dates }}) as sample_date) as taken
        where taken.sample_date <= {{ to_date }}
        limit 1
    )
{%- endmacro %}
