{#- Days of an outbreak and first samples of a screening round that are closed are kept from build to build, like closed
    slots (docs/decisions/increments-of-samples.md). -#}

{% macro forget_changed_unit_days(this) -%}
    {#- Forgets all days of a unit in an outbreak whose digest is another one now, the days from the first on which a
        sample of its roster came or went, and what lies after the business date. -#}
    {% if increment_since() is not none -%}
    with touched as (
        select
            rounds.start_date,
            rounds.unit,
            rounds.group_code,
            min(changed.sample_date) as sample_date
        from {{ ref('int_outbreak__rounds') }} as rounds
        inner join {{ ref('int_sample__changes') }} as changed
            on
                rounds.person_key = changed.person_key
                and changed.sample_date between rounds.start_date and coalesce(rounds.end_date, {{ as_of_date() }})
        group by rounds.start_date, rounds.unit, rounds.group_code
    ),

    changed_units as (
        select
            units.start_date,
            units.unit,
            units.group_code,
            case when present.fingerprint is null then units.start_date else touched.sample_date end as from_date
        from (select distinct start_date, unit, group_code, fingerprint from {{ this }}) as units
        left join {{ ref('int_outbreak__fingerprints') }} as present
            on
                units.start_date = present.start_date and units.unit = present.unit
                and units.group_code = present.group_code and units.fingerprint = present.fingerprint
        left join touched
            on
                units.start_date = touched.start_date and units.unit = touched.unit
                and units.group_code = touched.group_code
    )

    delete from {{ this }} as kept using changed_units as changed
    where
        kept.start_date = changed.start_date and kept.unit = changed.unit and kept.group_code = changed.group_code
        and (kept.sampling_day >= changed.from_date or kept.sampling_day > {{ as_of_date() }})
    {%- endif %}
{%- endmacro %}

{% macro last_days_kept(this) -%}
    {#- The last day of each unit in an outbreak that is kept; none when everything is read anew. -#}
    select
        start_date,
        unit,
        group_code,
    {%- if increment_since() is none %}
        null::date as last_day
    from {{ ref('int_outbreak__fingerprints') }} where false
    {%- else %}
        max(sampling_day) as last_day
    from {{ this }} group by start_date, unit, group_code
    {%- endif %}
{%- endmacro %}

{% macro forget_changed_first_samples(this) -%}
    {#- Forgets who is not in the scope of the round any more, and of whom a sample came or went that may be the first of
        the round. -#}
    {% if increment_since() is not none -%}
    with changed as (
        select
            kept.round_id,
            kept.person_key
        from {{ this }} as kept
        left join {{ ref('int_screening__scope') }} as present
            on
                kept.round_id = present.round_id and kept.person_key = present.person_key
                and kept.started_at = present.started_at
        where present.round_id is null
        union all
        select
            kept.round_id,
            kept.person_key
        from {{ this }} as kept
        inner join {{ ref('int_sample__changes') }} as changes
            on
                kept.person_key = changes.person_key
                and changes.sample_date >= kept.started_at::date
                and (kept.sampled_at is null or changes.sample_date <= kept.sampled_at::date)
    )

    delete from {{ this }} as kept using changed
    where kept.round_id = changed.round_id and kept.person_key = changed.person_key
    {%- endif %}
{%- endmacro %}
