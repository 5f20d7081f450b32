{% macro obligation_id() -%}
    membership_id || '/' || group_code || '/' || coalesce(slot::text, 'rolling')
{%- endmacro %}

{% macro unit_key(unit, membership_id, group_code) -%}
    {#- Workplaces, pharmacies (P19) and isolation sites (from the contacts feed) have separate name spaces: the same name
        in two of them is two units. A row without a unit has no key. -#}
    case
        when {{ unit }} = '' then ''
        when {{ group_code }} = 'P19' then 'pharmacy:' || {{ unit }}
        when {{ membership_id }} like 'contacts:%' then 'site:' || {{ unit }}
        else 'workplace:' || {{ unit }}
    end
{%- endmacro %}
