{% macro told_by_samples(attribute, column) -%}
    {#- Every test result gives a value of its person in a column; this selects it with the record that gives it. A name that
        is not given is empty, so that everybody who was sampled is known. -#}
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
    {#- It selects the values of the persons of whom a record came or went since the last build. -#}
    with came as (
        {{ told_by_samples('name', 'name') }} and file_id = any(array({{ changed_files(changes) }}))
        union all
        {{ told_by_samples('phone', 'phone') }} and file_id = any(array({{ changed_files(changes) }}))
    ),

    kept as (
        select
            kept.*,
            changed.file_id is not null as is_gone
        from {{ kept }} as kept
        left join {{ changes }} as changed
            on
                kept.person_key = changed.person_key
                and kept.file_id = changed.file_id
                and kept.line = changed.line
                and not changed.came
    ),

    -- All records of a person are read again of whom a value is gone that no record has told since.
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
    ),

    told_anew as (
        select person_key from came
        union all
        select person_key from lost
    )

    select * from came
        union all
        select person_key, attribute, id_type, id_number, value, updated_at, file_id, line from kept
        where not is_gone and person_key in (select told_anew.person_key from told_anew)
        union all
        {{ told_by_samples('name', 'name') }} and person_key in (select lost.person_key from lost where lost.attribute = 'name')
        union all
        {{ told_by_samples('phone', 'phone') }} and person_key in (select lost.person_key from lost where lost.attribute = 'phone')
        union all
        select person_key, attribute, id_type, id_number, null, '-infinity', 0, 0 from lost
{%- endmacro %}

{% macro forget_untold() -%}
    {#- Deletes what no record tells any more. -#}
    {% if goes_on() %}delete from {{ this }} where value is null{% endif %}
{%- endmacro %}
