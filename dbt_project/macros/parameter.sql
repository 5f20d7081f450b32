{% macro parameter(name, on_date, type='int') -%}
    {#-
    A number of the policy, in the edition that is in force on a date (policy semantics: policy is data).
    What has a date of its own (a screening round, a day of a zone) takes the edition of that date, so that a new
    edition does not move a deadline that has passed. What an edition does not mention goes on from the one before.
    -#}
    (
        select parameter.value::{{ type }}
        from {{ ref('int_policy__parameters') }} as parameter
        where
            parameter.name = '{{ name }}'
            and {{ on_date }} between parameter.effective_from and parameter.effective_to
    )
{%- endmacro %}
