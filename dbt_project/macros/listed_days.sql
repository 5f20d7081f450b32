{% macro first_listed_day() -%}
    {#-
    This subquery returns the first day for which marts list single days (of outbreaks, zones, key sites and monitored
    persons). It limits their size if somebody mistypes a start date that is a thousand years ago.
    -#}
    (select {{ as_of_date() }} - {{ parameter('listed_days', as_of_date()) }} as first_day)
{%- endmacro %}
