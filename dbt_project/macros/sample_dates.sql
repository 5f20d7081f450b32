{#- Lists of dates, the newest first, as int_sample__dates keeps them. -#}

{% macro newest_first(dates) -%}
    {#- This aggregate gives the distinct dates, the newest first. -#}
    {% if target.type == 'spark' -%}
    sort_array(collect_set({{ dates }}), false)
    {%- else -%}
    array_agg(distinct {{ dates }} order by {{ dates }} desc)
    {%- endif %}
{%- endmacro %}

{% macro up_to(dates, to_date) -%}
    {#- It keeps the dates up to a date. -#}
    {% if target.type == 'spark' -%}
    filter({{ dates }}, each -> each <= {{ to_date }})
    {%- else -%}
    case
        when {{ dates }}[1] <= {{ to_date }} then {{ dates }}
        else array(
            select known.sample_date from unnest({{ dates }}) as known (sample_date)
            where known.sample_date <= {{ to_date }}
            order by known.sample_date desc
        )
    end
    {%- endif %}
{%- endmacro %}

{% macro newest(dates, count) -%}
    {#- It keeps so many of the dates, or all. -#}
    {% if target.type == 'spark' %}slice({{ dates }}, 1, {{ count }}){% else %}{{ dates }}[1:{{ count }}]{% endif %}
{%- endmacro %}

{% macro first_date(dates, from_date) -%}
    {#- The first on or after a date; null when there is none. -#}
    {% if target.type == 'spark' -%}
    array_min(filter({{ dates }}, each -> each >= {{ from_date }}))
    {%- else -%}
    (
        select min(taken.sample_date) from unnest({{ dates }}) as taken (sample_date)
        where taken.sample_date >= {{ from_date }}
    )
    {%- endif %}
{%- endmacro %}

{% macro last_date(dates, to_date) -%}
    {#- The last up to a date; PostgreSQL reads no further than it must. -#}
    {% if target.type == 'spark' -%}
    array_max(filter({{ dates }}, each -> each <= {{ to_date }}))
    {%- else -%}
    (
        select taken.sample_date from (select unnest({{ dates }}) as sample_date) as taken
        where taken.sample_date <= {{ to_date }}
        limit 1
    )
    {%- endif %}
{%- endmacro %}

{% macro oldest_first(dates) -%}
    {#- The same list turned round, in which `last_in` finds a date without reading it. -#}
    {% if target.type == 'spark' -%}
    reverse({{ dates }})
    {%- else -%}
    array(select known.sample_date from unnest({{ dates }}) as known (sample_date) order by known.sample_date)
    {%- endif %}
{%- endmacro %}

{% macro last_in(dates, to_date) -%}
    {#- The last up to a date, of a list whose oldest comes first. -#}
    {% if target.type == 'spark' -%}
    array_max(filter({{ dates }}, each -> each <= {{ to_date }}))
    {%- else -%}
    ({{ dates }})[width_bucket({{ to_date }}, {{ dates }})]
    {%- endif %}
{%- endmacro %}
