{% macro newest_answer_first(answers) -%}
    {#- It orders several answers about one item, the newest first; among those of one moment the one that was written last
        goes first (policy semantics, "Disposition"). -#}
    {{ answers }}.handled_at desc, {{ answers }}.updated_at desc, {{ answers }}.disposition_key collate "C" desc
{%- endmacro %}

{% macro newest_answer(answers) -%}
    {#- It reads what the newest of several answers says. -#}
    (array_agg({{ answers }}.result order by {{ newest_answer_first(answers) }}))[1]
{%- endmacro %}
