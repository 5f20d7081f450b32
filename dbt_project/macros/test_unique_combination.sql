{% test unique_combination(model, columns) %}
    -- Fails with one row per combination that is there more than once, or that has a null in it.
    select {{ columns | join(', ') }}
    from {{ model }}
    group by {{ columns | join(', ') }}
    having count(*) > 1 or {% for column in columns %}{{ column }} is null{{ ' or ' if not loop.last }}{% endfor %}
{% endtest %}
