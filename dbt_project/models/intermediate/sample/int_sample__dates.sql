-- A person's distinct dates with a counting sample, newest first: the small state that obligations are computed from.
-- Several samples on one date count once. Kept from build to build; a person without any has an empty list at most.
{{ config(
    materialized='increment',
    unique_key='person_key',
    indexes=[{'columns': ['person_key'], 'unique': true}],
) }}
-- depends_on: {{ ref('int_sample__bounds') }}, {{ ref('int_sample__changes') }}

{% if increment_since() is none %}
select
    person_key,
    array_agg(distinct sample_date order by sample_date desc) as sample_dates
from {{ ref('int_sample__by_day') }}
group by person_key
{% else %}
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
left join {{ this }} as kept on changed.person_key = kept.person_key
{% endif %}
