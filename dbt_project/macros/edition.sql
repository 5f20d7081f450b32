{% macro rows_in_force(seed, unit) -%}
    {#-
    This subquery returns the rows of a policy seed that apply in each edition: the edition's own and, for what it does not
    mention, those of the newest earlier edition that does. `unit` names the columns of what is replaced together; if it is
    empty, the whole seed is replaced. The subquery adds in_force_edition_code, effective_from and effective_to of the
    edition in force.
    -#}
    (
        select * from (
            select
                authored.*,
                in_force.edition_code as in_force_edition_code,
                in_force.effective_from,
                in_force.effective_to,
                dense_rank() over (
                    partition by in_force.edition_code{% for column in unit %}, authored.{{ column }}{% endfor %}
                    order by author.effective_from desc
                ) as recency
            from {{ ref(seed) }} as authored
            inner join {{ ref('int_policy__editions') }} as author on authored.edition_code = author.edition_code
            inner join {{ ref('int_policy__editions') }} as in_force on author.effective_from <= in_force.effective_from
        ) as ranked
        where ranked.recency = 1
    )
{%- endmacro %}
