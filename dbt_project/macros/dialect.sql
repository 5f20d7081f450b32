{#- PostgreSQL and Spark write some things in two ways. They stand here side by side, so that a model is written once
    (docs/spark.md). -#}

{% macro text_type() -%}
    {{ 'string' if target.type == 'spark' else 'text' }}
{%- endmacro %}

{% macro exact_type() -%}
    {#- Spark's numeric without a size has no decimals. -#}
    {{ 'decimal(20, 6)' if target.type == 'spark' else 'numeric' }}
{%- endmacro %}

{% macro exact(count) -%}
    {#- A count as a number that is divided without loss: integers in PostgreSQL give integers, in Spark doubles. -#}
    ({{ count }})::{{ exact_type() }}
{%- endmacro %}

{% macro no_end(type='date') -%}
    {#- Later than anything: what has no end. -#}
    {% if target.type == 'spark' %}{{ type }} '9999-01-01'{% else %}'infinity'::{{ type }}{% endif %}
{%- endmacro %}

{% macro no_start(type='date') -%}
    {#- Earlier than anything: what was always there. -#}
    {% if target.type == 'spark' %}{{ type }} '0001-01-01'{% else %}'-infinity'::{{ type }}{% endif %}
{%- endmacro %}

{% macro once() -%}
    {#- PostgreSQL computes a common table expression with this word once, and no column again wherever it is read. -#}
    {{ 'materialized' if target.type != 'spark' }}
{%- endmacro %}

{% macro days_between(later, earlier) -%}
    {% if target.type == 'spark' %}datediff({{ later }}, {{ earlier }}){% else %}({{ later }} - {{ earlier }}){% endif %}
{%- endmacro %}

{% macro seconds_between(later, earlier) -%}
    {% if target.type == 'spark' -%}
    (timestampdiff(microsecond, {{ earlier }}, {{ later }})::decimal(20, 0) / 1000000)
    {%- else -%}
    extract(epoch from {{ later }} - {{ earlier }})
    {%- endif %}
{%- endmacro %}

{% macro date_or_null(eight_digits) -%}
    {#- A date written YYYYMMDD, or null where there is no such day. -#}
    {% if target.type == 'spark' -%}
    try_to_date({{ eight_digits }}, 'yyyyMMdd')
    {%- else -%}
    case when pg_input_is_valid({{ eight_digits }}, 'date') then {{ eight_digits }}::date end
    {%- endif %}
{%- endmacro %}

{% macro bytewise(text) -%}
    {#- Text in an order that is the same on every machine: by its bytes, which is the only one that Spark knows. -#}
    {{ text }}{{ ' collate "C"' if target.type != 'spark' }}
{%- endmacro %}

{% macro first_per(rows, key, order) -%}
    {#- It selects the first row in this order of those with the same key. -#}
    (
        {% if target.type == 'spark' -%}
        select * from {{ rows }}
        qualify row_number() over (partition by {{ key }} order by {{ order }}) = 1
        {%- else -%}
        select distinct on ({{ key }}) * from {{ rows }}
        order by {{ key }}, {{ order }}
        {%- endif %}
    )
{%- endmacro %}

{% macro filtered(where) -%}
    {{ ' filter (where ' ~ where ~ ')' if where }}
{%- endmacro %}

{% macro at_first(value, order, descending=false, where=none) -%}
    {#- This aggregate gives the value on the first row in the order of these columns. -#}
    {% if target.type == 'spark' -%}
    {{ 'max_by' if descending else 'min_by' }}({{ value }}, struct({{ order | join(', ') }})){{ filtered(where) }}
    {%- else -%}
    (array_agg({{ value }} order by {% for column in order %}{{ column }}{{ ' desc' if descending }}{{ ', ' if not loop.last }}{% endfor %}){{ filtered(where) }})[1]
    {%- endif %}
{%- endmacro %}

{% macro list_of(value, order, where=none) -%}
    {#- This aggregate gives the values in the order of these columns. -#}
    {% if target.type == 'spark' -%}
    transform(
        array_sort(collect_list(struct({{ order | join(', ') }}, {{ value }} as listed)){{ filtered(where) }}),
        each -> each.listed
    )
    {%- else -%}
    array_agg({{ value }} order by {{ order | join(', ') }}){{ filtered(where) }}
    {%- endif %}
{%- endmacro %}

{% macro joined(value, separator, order, where=none) -%}
    {#- This aggregate joins the texts in this order to one. -#}
    {% if target.type == 'spark' -%}
    listagg({{ value }}, '{{ separator }}') within group (order by {{ order }}){{ filtered(where) }}
    {%- else -%}
    string_agg({{ value }}, '{{ separator }}' order by {{ order }}){{ filtered(where) }}
    {%- endif %}
{%- endmacro %}

{% macro joined_distinct(value, separator) -%}
    {#- This aggregate joins the different texts, in their order, to one. -#}
    {% if target.type == 'spark' -%}
    array_join(array_sort(collect_set({{ value }})), '{{ separator }}')
    {%- else -%}
    string_agg(distinct {{ value }}, '{{ separator }}' order by {{ value }})
    {%- endif %}
{%- endmacro %}

{% macro empty_list() -%}
    {% if target.type == 'spark' %}array()::array<string>{% else %}'{}'::text[]{% endif %}
{%- endmacro %}

{% macro list_without_nulls() -%}
    {#- A list of the expressions that it is called around, without those that are null. -#}
    {% if target.type == 'spark' %}array_compact(array({{ caller() }})){% else %}array_remove(array[{{ caller() }}], null){% endif %}
{%- endmacro %}

{% macro joined_list(list, separator) -%}
    {{ 'array_join' if target.type == 'spark' else 'array_to_string' }}({{ list }}, '{{ separator }}')
{%- endmacro %}

{% macro item(list, position) -%}
    {#- One of a list, counted from 1; null where there is none. -#}
    {% if target.type == 'spark' %}try_element_at({{ list }}, {{ position }}){% else %}{{ list }}[{{ position }}]{% endif %}
{%- endmacro %}

{% macro is_in(value, list) -%}
    {% if target.type == 'spark' %}array_contains({{ list }}, {{ value }}){% else %}{{ value }} = any({{ list }}){% endif %}
{%- endmacro %}

{% macro is_among(value, query) -%}
    {#- Whether a query of one column has it. PostgreSQL finds the rows by an index when the query is done first. -#}
    {{ value }} {% if target.type == 'spark' %}in ({{ query }}){% else %}= any(array({{ query }})){% endif %}
{%- endmacro %}

{% macro overlaps(list, other) -%}
    {% if target.type == 'spark' %}arrays_overlap({{ list }}, {{ other }}){% else %}{{ list }} && {{ other }}{% endif %}
{%- endmacro %}

{% macro same_members(list, other) -%}
    {% if target.type == 'spark' -%}
    array_sort(array_distinct({{ list }})) = array_sort(array_distinct({{ other }}))
    {%- else -%}
    {{ list }} @> {{ other }} and {{ list }} <@ {{ other }}
    {%- endif %}
{%- endmacro %}

{% macro each(list) -%}
    {#- It makes one row for each member of a list. -#}
    {{ 'explode' if target.type == 'spark' else 'unnest' }}({{ list }})
{%- endmacro %}

{% macro numbers(first, last) -%}
    {#- For `cross join lateral`: the whole numbers from one to another; none where the last comes before the first. -#}
    {% if target.type == 'spark' -%}
    explode(case when {{ first }} <= {{ last }} then sequence({{ first }}, {{ last }}) end)
    {%- else -%}
    generate_series({{ first }}, {{ last }})
    {%- endif %}
{%- endmacro %}

{% macro days(first, last) -%}
    {#- It gives `cross join lateral` the days from one to another, which are timestamps in PostgreSQL. -#}
    {% if target.type == 'spark' -%}
    {{ numbers(first, last) }}
    {%- else -%}
    generate_series(({{ first }})::timestamp, ({{ last }})::timestamp, interval '1 day')
    {%- endif %}
{%- endmacro %}

{% macro regexp_groups(text, expression, groups) -%}
    {#- It returns the matches of a pattern's groups as a list; null if the text does not match. -#}
    {% if target.type == 'spark' -%}
    case when {{ text }} rlike {{ pattern(expression) }}
        then array({% for n in range(1, groups + 1) %}regexp_extract({{ text }}, {{ pattern(expression) }}, {{ n }}){{ ', ' if not loop.last }}{% endfor %})
    end
    {%- else -%}
    regexp_match({{ text }}, {{ pattern(expression) }})
    {%- endif %}
{%- endmacro %}

{% macro double_type() -%}
    {#- Drivers hand a number of this type over as a number, not as text; shares and hours of the marts have it. -#}
    {{ 'double' if target.type == 'spark' else 'double precision' }}
{%- endmacro %}

{% macro each_and_all(names) -%}
    {#- For `cross join lateral`: each of several names joined by 、, and null, which stands for all of them. An empty
        name is a name; null is not divided and gives null alone. -#}
    {% if target.type == 'spark' -%}
    explode(array_append(coalesce(split({{ names }}, '、'), array()), null))
    {%- else -%}
    unnest(array_append(case when {{ names }} = '' then array[''] else string_to_array({{ names }}, '、') end, null))
    {%- endif %}
{%- endmacro %}
