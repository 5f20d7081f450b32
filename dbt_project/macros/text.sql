{% macro comparable_text(expression) -%}
    {#- A place name as it is compared: blanks removed, full-width folded to half-width, punctuation at the edges off,
        empty is null. Both sides of a comparison go through it; landing's `comparable` does the same to find repeats. -#}
    {%- set on_spark = target.type == 'spark' -%}
    {%- set blanks = '[\\s\\u00a0\\u1680\\u2000-\\u200d\\u2028\\u2029\\u202f\\u205f\\u2060\\u3000\\ufeff]' -%}
    nullif(
        trim(
            both '、,;。.·' from translate(
                regexp_replace({{ expression }}, {{ pattern(blanks) }}, ''{{ ", 'g'" if not on_spark }}),
                '０１２３４５６７８９ＡＢＣＤＥＦＧＨＩＪＫＬＭＮＯＰＱＲＳＴＵＶＷＸＹＺａｂｃｄｅｆｇｈｉｊｋｌｍｎｏｐｑｒｓｔｕｖｗｘｙｚ！＂＃＄％＆＇（）＊＋，－．／：；＜＝＞？＠［＼］＾＿｀｛｜｝～',
                '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!"#$%&''()*+,-./:;<=>?@[{{ '\\\\' if on_spark else '\\' }}]^_`{|}~'
            )
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

{% macro contains_word(text, word) -%}
    {#- Whether a text has a word in it. -#}
    position({{ word }} in {{ text }}) > 0
{%- endmacro %}
