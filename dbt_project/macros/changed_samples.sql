{#- What the increments of samples are made of when only the changes are read: PostgreSQL's part (Spark reads everything). -#}

{% macro dates_of_changed_persons(kept) -%}
    {#- The dates of everyone of whom a sample came or went, from those that are kept and the days that were touched. -#}
    with touched as (
        select distinct
            person_key,
            sample_date
        from {{ ref('int_sample__changes') }}
    ),

    present as (
        select distinct
            person_key,
            sample_date
        from {{ ref('int_sample__by_day') }}
        where sample_date in ({{ changed_days() }})
    ),

    changed as (
        select
            touched.person_key,
            array_agg(touched.sample_date) as touched_dates,
            coalesce(array_agg(present.sample_date order by present.sample_date desc) filter (where present.sample_date is not null), '{}')
                as present_dates
        from touched
        left join present on touched.person_key = present.person_key and touched.sample_date = present.sample_date
        group by touched.person_key
    )

    select
        changed.person_key,
        case
            -- Nearly always: sampled after all the days that were known.
            when kept.sample_dates is null then changed.present_dates
            when kept.sample_dates[1] < all(changed.touched_dates) then changed.present_dates || kept.sample_dates
            else array(
                select dates.sample_date
                from (
                    select known.sample_date from unnest(kept.sample_dates) as known (sample_date)
                    where known.sample_date <> all(changed.touched_dates)
                    union all
                    select unnest(changed.present_dates)
                ) as dates
                order by dates.sample_date desc
            )
        end as sample_dates
    from changed
    left join {{ kept }} as kept on changed.person_key = kept.person_key
{%- endmacro %}

{% macro forget_changed_samples(kept) -%}
    {#- Deletes the samples that came, were replaced or went, in their old form. -#}
    {% if increment_since() is not none -%}
    delete from {{ kept }} as kept using {{ ref('int_sample__changes') }} as changed
    where
        kept.sample_date in ({{ changed_days() }})
        and kept.sample_date = changed.sample_date
        and kept.sample_key = changed.sample_key
        and kept.person_key = changed.person_key
    {%- endif %}
{%- endmacro %}

{% macro index_not_negative(kept) -%}
    {#- By which the few samples that are positive, or without a result, are found among all. -#}
    {{ on_postgres(
        'create index if not exists int_sample__not_negative on ' ~ kept ~ " (tube_no) where result <> '阴性'"
    ) }}
{%- endmacro %}
