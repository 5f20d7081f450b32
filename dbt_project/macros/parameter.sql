{% macro parameter(name, on_date, type='int') -%}
    {#-
    A number of the policy, in the edition that is in force on a date (policy semantics: policy is data).
    What has a date of its own (a screening round, a day of a zone) takes the edition of that date, so that a new
    edition does not move a deadline that has passed.
    -#}
    (
        select parameter.value::{{ type }}
        from {{ ref('policy_parameter') }} as parameter
        inner join {{ ref('policy_edition') }} as edition on parameter.edition_code = edition.edition_code
        where
            parameter.name = '{{ name }}'
            and {{ on_date }} between edition.effective_from and coalesce(edition.effective_to, 'infinity'::date)
    )
{%- endmacro %}
