{% macro comparable_text(expression) -%}
    {#- It normalizes a place name for comparison: it removes blanks, folds full-width to half-width, trims punctuation, and
        turns an empty text into null. Both sides of a comparison go through it; `comparable` in yingjian.names does the
        same. -#}
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
    {#- It maps each name in a column to the shortest spelling among those that are equal after folding. -#}
    select
        {{ column }} as spelling,
        first_value({{ column }}) over (
            partition by {{ comparable_text(column) }} order by char_length({{ column }}), {{ column }} collate "C"
        ) as name
    from (select distinct {{ column }} from {{ relation }}) as spellings
{%- endmacro %}

{% macro split_list(expression) -%}
    {#- It splits names joined by 、 (as the platform writes them) into an array of trimmed names. -#}
    array_remove(regexp_split_to_array(coalesce({{ expression }}, ''), '\s*[、，,;；]\s*'), '')
{%- endmacro %}

{% macro each_and_all(names) -%}
    {#- Used in `cross join lateral`, it returns each of the names joined by 、, and null, which stands for the total. An
        empty name is a name; null returns only null. -#}
    unnest(array_append(case when {{ names }} = '' then array[''] else string_to_array({{ names }}, '、') end, null))
{%- endmacro %}

{% macro without_words_for_none(names) -%}
    {#- It removes the words that mean "none" from an array of names. -#}
    {%- set left = namespace(names=names) -%}
    {%- for word in ['无', '无症状', '无不适', '无异常', '没有', '正常', '否', '-', '—', '/'] -%}
        {%- set left.names = "array_remove(" ~ left.names ~ ", '" ~ word ~ "')" -%}
    {%- endfor -%}
    {{ left.names }}
{%- endmacro %}

{% macro person_number() -%}
    {#- The pattern finds text that looks like a person's identity or phone number; HAS_PERSON_NUMBER in yingjian.names is
        the same. -#}
    '(^|[^0-9])([1-9][0-9]{5}((18|19|20)[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])[0-9]{3}[0-9Xx]|[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])[0-9]{3})|(0{0,2}86[ -]?|0)?1[3-9][0-9][ -]?[0-9]{4}[ -]?[0-9]{4})([^0-9]|$)'
{%- endmacro %}
