{#- Slots that are closed are kept from build to build and not computed again (docs/decisions/increments-of-samples.md).
    A model of a slot family is an increment whose rows carry `fingerprint`, `computed_for` and `samples_until`, the last
    day whose samples can change them: before it is written, the memberships that may have changed are forgotten, and it
    computes those of which nothing is kept. -#}

{% macro forget_changed_slots(this, inputs, is_open="kept.status in ('upcoming', 'overdue')") -%}
    {#- Forgets a membership with a slot still open on its last day, one of whose person a sample came or went that can
        change it, one whose own record, rule or lifts are not those of `inputs` (membership_id, fingerprint) any more,
        and, when the business date goes back, all. -#}
    {% if increment_since() is not none -%}
    delete from {{ this }} where membership_id in (
        select kept.membership_id from {{ this }} as kept
        left join {{ inputs }} as present
            on kept.membership_id = present.membership_id and kept.fingerprint = present.fingerprint
        where
            present.membership_id is null
            or {{ is_open }}
            or kept.computed_for > {{ as_of_date() }}
        union all
        select kept.membership_id from {{ this }} as kept
        inner join {{ ref('int_sample__changes') }} as changed
            on kept.person_key = changed.person_key and changed.sample_date <= kept.samples_until
    )
    {%- endif %}
{%- endmacro %}

{% macro not_kept(this, key) -%}
    {#- Whether no row of a key (column: what it must be) is kept; everything is computed when everything is read anew. -#}
    {%- if increment_since() is none -%}
        true
    {%- else -%}
        not exists (
            select 1 from {{ this }} as kept
            where {% for column, value in key.items() %}kept.{{ column }} = {{ value }}{{ ' and ' if not loop.last }}{% endfor %}
        )
    {%- endif -%}
{%- endmacro %}

{% macro fingerprint(row, person_key, group_code) -%}
    {#- A digest of a row and of what lifts its person's obligations. -#}
    {% if target.type == 'spark' -%}
    ''
    {%- else -%}
    md5(
        {{ row }}::text
        || coalesce((
            select string_agg(lift::text, ' ' order by lift::text collate "C") from {{ ref('int_lift__intervals') }} as lift
            where lift.person_key = {{ person_key }} and coalesce(lift.group_code, {{ group_code }}) = {{ group_code }}
        ), '')
    )
    {%- endif %}
{%- endmacro %}
