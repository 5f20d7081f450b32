{% macro lifted_state(person_key, group_code, due_date) -%}
    {#-
    It returns 'void' (a confirmed infection), 'exempt' (an approved exemption), or null for an obligation on a date. Void
    takes precedence (policy semantics, "What lifts an obligation").
    -#}
    (
        select max(lift.state)  -- 'void' takes precedence over 'exempt' because it sorts after it.
        from {{ ref('int_lift__intervals') }} as lift
        where
            lift.person_key = {{ person_key }}
            and (lift.group_code is null or lift.group_code = {{ group_code }})
            and {{ due_date }} between lift.from_date and lift.to_date
    )
{%- endmacro %}
