-- One row per interval in which a person's obligations are lifted: by an approved exemption (one group, or all) or by a
-- confirmed infection (all groups).
{{ config(indexes=[{'columns': ['person_key']}]) }}

with exemptions as (select * from {{ ref('stg_platform__exemptions') }}),

cases as (select * from {{ ref('stg_platform__cases') }}),

exempt as (
    select
        person_key,
        nullif(group_code, '') as group_code,
        'exempt' as state,
        start_date as from_date,
        end_date as to_date
    from exemptions
),

void as (
    -- A void interval runs from the day after the sample to the day of discharge; it stays open while there is none.
    select
        person_key,
        null::text as group_code,
        'void' as state,
        sample_date + 1 as from_date,
        coalesce(discharge_date, 'infinity'::date) as to_date
    from cases
),

final as (
    select * from exempt
    union all
    select * from void
)

select * from final
where from_date <= to_date
