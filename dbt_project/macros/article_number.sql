{% macro article_number(expression) -%}
    {#- The number of an article of the plan as digits, whether it was written 37, 第37条 or 第三十七条; another text as it is
        compared. -#}
    {%- set digits = '一二三四五六七八九' -%}
    {%- set tens = "(position((regexp_match(" ~ expression ~ ", '([一二三]?)十?[" ~ digits ~ "]?条'))[1] in '零" ~ digits ~ "') - 1)" -%}
    {%- set ones = "(position((regexp_match(" ~ expression ~ ", '[一二三]?十?([" ~ digits ~ "]?)条'))[1] in '零" ~ digits ~ "') - 1)" -%}
    coalesce(
        (regexp_match({{ expression }}, '([0-9]+)'))[1],
        nullif(
            case when {{ expression }} like '%十%条%' then 10 * greatest({{ tens }}, 1) + {{ ones }} else {{ tens }} + {{ ones }} end,
            0
        )::text,
        {{ comparable_text(expression) }},
        ''
    )
{%- endmacro %}
