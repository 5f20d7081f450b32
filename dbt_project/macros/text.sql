{% macro comparable_text(expression) -%}
    {#- A place name as it is compared: blanks removed, full-width folded to half-width, empty is null. -#}
    nullif(
        translate(
            regexp_replace({{ expression }}, '[\s\u00a0\u3000\u200b\ufeff]', ''{{ ", 'g'" if target.type != 'spark' }}),
            '０１２３４５６７８９ＡＢＣＤＥＦＧＨＩＪＫＬＭＮＯＰＱＲＳＴＵＶＷＸＹＺａｂｃｄｅｆｇｈｉｊｋｌｍｎｏｐｑｒｓｔｕｖｗｘｙｚ！＂＃＄％＆＇（）＊＋，－．／：；＜＝＞？＠［＼］＾＿｀｛｜｝～',
            '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!"#$%&''()*+,-./:;<=>?@[\]^_`{|}~'
        ),
        ''
    )
{%- endmacro %}

{% macro split_list(expression) -%}
    {#- Several names joined by 、 (as the platform writes them) as an array of trimmed names. -#}
    {%- set split = 'split' if target.type == 'spark' else 'regexp_split_to_array' -%}
    array_remove({{ split }}(coalesce({{ expression }}, ''), '\s*[、，,;；]\s*'), '')
{%- endmacro %}
