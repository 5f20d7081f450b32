{% macro united(codes) -%}
    {#- It unites the rows of these CTEs, which are named by the codes of the figures. -#}
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
