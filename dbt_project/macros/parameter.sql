{% macro parameter(name, on_date, type='int') -%}
    {#-
    It looks up a parameter in the edition that is in force on a date (policy semantics: policy is data). Things with a date
    of their own (a screening round, a day of a zone) use the edition of that date, so that a new edition does not move a
    deadline that has passed. An edition inherits the parameters that it does not mention from the one before.
    -#}
    (
        select parameter.value::{{ type }}
        from {{ ref('int_policy__parameters') }} as parameter
        where
            parameter.name = '{{ name }}'
            and {{ on_date }} between parameter.effective_from and parameter.effective_to
    )
{%- endmacro %}
