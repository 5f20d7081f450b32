{% macro newest_answer_first(answers) -%}
    {#- It sorts the answers to an item, newest first; between answers of the same moment, the one written last comes first
        (policy semantics, "Disposition"). -#}
    {{ answers }}.handled_at desc, {{ answers }}.updated_at desc, {{ answers }}.disposition_key collate "C" desc
{%- endmacro %}

{% macro newest_answer(answers) -%}
    {#- It returns the result of the newest answer. -#}
    (array_agg({{ answers }}.result order by {{ newest_answer_first(answers) }}))[1]
{%- endmacro %}
