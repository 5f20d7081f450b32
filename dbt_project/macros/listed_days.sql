{% macro first_listed_day() -%}
    {#-
    For a cte: the first day of which the marts list single days (of outbreaks, zones, key sites and monitored persons).
    A start that was typed a thousand years ago then makes no more rows than one of last year.
    -#}
    (select {{ as_of_date() }} - {{ parameter('listed_days', as_of_date()) }} as first_day)
{%- endmacro %}
