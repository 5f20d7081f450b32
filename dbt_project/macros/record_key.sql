{% macro record_key(column, table='') -%}
    {#- It returns a record's key as the marts show it. Some senders put the person's document number into the key, so the
        person key replaces it. -#}
    {%- set of_table = table ~ '.' if table else '' -%}
    replace({{ of_table }}{{ column }}, {{ of_table }}id_number, {{ of_table }}person_key)
{%- endmacro %}
