{% macro told_by_samples(attribute, column) -%}
    {#- It selects an attribute of the person from every test result, with the source record. A missing name becomes empty,
        so that everybody who was sampled has a row. -#}
    select
        person_key,
        '{{ attribute }}' as attribute,
        id_type,
        id_number,
        coalesce({{ column }}, '') as value,
        updated_at,
        file_id,
        line
    from {{ ref('stg_platform__sample_identities') }}
    where {{ 'true' if attribute == 'name' else column ~ " <> ''" }}
{%- endmacro %}

{% macro told_anew(kept, changes) -%}
    {#- It selects the values of persons whose test results were added or deleted since the last build. -#}
    with came as (
        {{ told_by_samples('name', 'name') }} and file_id = any(array({{ changed_files(changes) }}))
        union all
        {{ told_by_samples('phone', 'phone') }} and file_id = any(array({{ changed_files(changes) }}))
    ),

    kept as (
        select
            kept.*,
            gone.file_id is not null as is_gone
        from {{ kept }} as kept
        left join {{ changes }} as gone
            on
                kept.person_key = gone.person_key
                and kept.file_id = gone.file_id
                and kept.line = gone.line
                and not gone.came
        where kept.person_key in (select changed.person_key from {{ changes }} as changed)
    ),

    -- If a person's value is gone and no newer record has replaced it, all records of the person are read again.
    lost as (
        select kept.* from kept
        where
            kept.is_gone and not exists (
                select 1 from came
                where
                    came.person_key = kept.person_key and came.attribute = kept.attribute
                    and (came.updated_at, came.file_id, came.line) > (kept.updated_at, kept.file_id, kept.line)
                    and (came.value <> '' or kept.value = '')
            )
    )

    select * from came
        union all
        select person_key, attribute, id_type, id_number, value, updated_at, file_id, line from kept
        where not is_gone
        union all
        {{ told_by_samples('name', 'name') }} and person_key in (select lost.person_key from lost where lost.attribute = 'name')
        union all
        {{ told_by_samples('phone', 'phone') }} and person_key in (select lost.person_key from lost where lost.attribute = 'phone')
        union all
        select person_key, attribute, id_type, id_number, null, '-infinity', 0, 0 from lost
{%- endmacro %}

{% macro forget_untold() -%}
    {#- It deletes values that no record supports any more. -#}
    {% if goes_on() %}delete from {{ this }} where value is null{% endif %}
{%- endmacro %}
