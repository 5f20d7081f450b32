{% macro comparable_text(expression) -%}
    {#- A place name as it is compared: blanks removed, full-width folded to half-width, empty is null. -#}
    {%- set on_spark = target.type == 'spark' -%}
    nullif(
        translate(
            regexp_replace({{ expression }}, {{ pattern('[\\s\\u00a0\\u3000\\u200b\\ufeff]') }}, ''{{ ", 'g'" if not on_spark }}),
            '０１２３４５６７８９ＡＢＣＤＥＦＧＨＩＪＫＬＭＮＯＰＱＲＳＴＵＶＷＸＹＺａｂｃｄｅｆｇｈｉｊｋｌｍｎｏｐｑｒｓｔｕｖｗｘｙｚ！＂＃＄％＆＇（）＊＋，－．／：；＜＝＞？＠［＼］＾＿｀｛｜｝～',
            '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!"#$%&''()*+,-./:;<=>?@[{{ '\\\\' if on_spark else '\\' }}]^_`{|}~'
        ),
        ''
    )
{%- endmacro %}

{% macro pattern(regular_expression) -%}
    {#- A literal in which a backslash is one: in Spark's ordinary ones it escapes, and its blank is only one of ASCII. -#}
    {% if target.type == 'spark' -%}
    r'{{ regular_expression | replace('\\s', '\\p{IsWhite_Space}') }}'
    {%- else -%}
    '{{ regular_expression }}'
    {%- endif %}
{%- endmacro %}

{% macro split_list(expression) -%}
    {#- Several names joined by 、 (as the platform writes them) as an array of trimmed names. -#}
    {%- set split = 'split' if target.type == 'spark' else 'regexp_split_to_array' -%}
    array_remove({{ split }}(coalesce({{ expression }}, ''), {{ pattern('\\s*[、，,;；]\\s*') }}), '')
{%- endmacro %}
