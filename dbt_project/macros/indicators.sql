{% macro united(codes) -%}
    {#- The rows of the queries of these names, which are the figures' codes. -#}
    {% for code in codes -%}
    select
        '{{ code }}' as indicator_code,
        community,
        department,
        counted_once::text as counted_once,
        part::bigint as part,
        whole::bigint as whole
    from {{ code }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
{%- endmacro %}
