{% macro comparable_text(expression) -%}
    {#- A place name as it is compared: blanks removed, full-width folded to half-width, punctuation at the edges off,
        empty is null. Both sides of a comparison go through it; `comparable` in yingjian.names does the same. -#}
    {%- set blanks = '[\\s\\u00a0\\u1680\\u2000-\\u200d\\u2028\\u2029\\u202f\\u205f\\u2060\\u3000\\ufeff]' -%}
    nullif(
        trim(
            both '、,;。.·' from translate(
                regexp_replace({{ expression }}, '{{ blanks }}', '', 'g'),
                '０１２３４５６７８９ＡＢＣＤＥＦＧＨＩＪＫＬＭＮＯＰＱＲＳＴＵＶＷＸＹＺａｂｃｄｅｆｇｈｉｊｋｌｍｎｏｐｑｒｓｔｕｖｗｘｙｚ！＂＃＄％＆＇（）＊＋，－．／：；＜＝＞？＠［＼］＾＿｀｛｜｝～',
                '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!"#$%&''()*+,-./:;<=>?@[\]^_`{|}~'
            )
        ),
        ''
    )
{%- endmacro %}

{% macro one_spelling(relation, column) -%}
    {#- Each name of a column, with the shortest spelling of those that are the same name after folding. -#}
    select
        {{ column }} as spelling,
        first_value({{ column }}) over (
            partition by {{ comparable_text(column) }} order by char_length({{ column }}), {{ column }} collate "C"
        ) as name
    from (select distinct {{ column }} from {{ relation }}) as spellings
{%- endmacro %}

{% macro split_list(expression) -%}
    {#- Several names joined by 、 (as the platform writes them) as an array of trimmed names. -#}
    array_remove(regexp_split_to_array(coalesce({{ expression }}, ''), '\s*[、，,;；]\s*'), '')
{%- endmacro %}

{% macro each_and_all(names) -%}
    {#- For `cross join lateral`: each of several names joined by 、, and null, which stands for all of them. An empty
        name is a name; null is not divided and gives null alone. -#}
    unnest(array_append(case when {{ names }} = '' then array[''] else string_to_array({{ names }}, '、') end, null))
{%- endmacro %}

{% macro without_words_for_none(names) -%}
    {#- An array of names without the words that say that there is none. -#}
    {%- set left = namespace(names=names) -%}
    {%- for word in ['无', '无症状', '无不适', '无异常', '没有', '正常', '否', '-', '—', '/'] -%}
        {%- set left.names = "array_remove(" ~ left.names ~ ", '" ~ word ~ "')" -%}
    {%- endfor -%}
    {{ left.names }}
{%- endmacro %}

{% macro person_number() -%}
    {#- The expression finds what looks like a number of a person; HAS_PERSON_NUMBER in yingjian.names is the same. -#}
    '(^|[^0-9])([1-9][0-9]{16}[0-9Xx]|[1-9][0-9]{7}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])[0-9]{3}|(0{0,2}86[ -]?|0)?1[3-9][0-9][ -]?[0-9]{4}[ -]?[0-9]{4})([^0-9]|$)'
{%- endmacro %}
