{% macro record_key(column, table='') -%}
    {#- The key of a record as the marts show it: some senders write the person's own document number into it, and the
        person's key stands in its place. -#}
    {%- set of_table = table ~ '.' if table else '' -%}
    replace({{ of_table }}{{ column }}, {{ of_table }}id_number, {{ of_table }}person_key)
{%- endmacro %}
