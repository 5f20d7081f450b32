{% macro lifted_state(person_key, group_code, due_date) -%}
    {#-
    An obligation is lifted on a date as 'void' (a confirmed infection), else as 'exempt' (an approved exemption),
    else it is null (policy semantics, "What lifts an obligation"; void goes before exempt).
    -#}
    (
        select max(lift.state)  -- 'void' sorts after 'exempt', so it goes before it
        from {{ ref('int_lift__intervals') }} as lift
        where
            lift.person_key = {{ person_key }}
            and (lift.group_code is null or lift.group_code = {{ group_code }})
            and {{ due_date }} between lift.from_date and lift.to_date
    )
{%- endmacro %}
