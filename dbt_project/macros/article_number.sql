{% macro article_number(expression) -%}
    {#- It returns the number of an article of the plan in digits, whether it was written 37, 三十七, 第37条 or 第三十七条第2款. Any
        other text is returned as comparable_text folds it. -#}
    {%- set digits = '一二三四五六七八九' -%}
    {%- set numeral = "([0-9]+|[十" ~ digits ~ "]+)" -%}
    {%- set number -%}
        coalesce(
            (regexp_match({{ expression }}, '{{ numeral }}\s*条'))[1],
            (regexp_match({{ expression }}, '^\s*{{ numeral }}\s*$'))[1],
            (regexp_match({{ expression }}, '([0-9]+)'))[1]
        )
    {%- endset -%}
    {%- set tens = "(regexp_match(" ~ number ~ ", '^(.?)十'))[1]" -%}
    {%- set ones = "(regexp_match(" ~ number ~ ", '十(.?)$'))[1]" -%}
    coalesce(
        case
            when {{ number }} ~ '[0-9]' then {{ number }}
            when {{ number }} like '%十%'
                then (
                    10 * case when {{ tens }} = '' then 1 else position({{ tens }} in '{{ digits }}') end
                    + case when {{ ones }} = '' then 0 else position({{ ones }} in '{{ digits }}') end
                )::text
            when {{ number }} is not null then position({{ number }} in '{{ digits }}')::text
        end,
        {{ comparable_text(expression) }},
        ''
    )
{%- endmacro %}
