-- One row per membership that a declaration of arrival creates (annex rows 31–34; articles 4 and 30).
with arrivals as (select * from {{ ref('stg_platform__arrivals') }}),

snapshots as (select * from {{ ref('stg_national__risk_area_snapshots') }}),

areas as (select * from {{ ref('stg_national__risk_areas') }}),

from_abroad as (
    select
        *,
        '31' as group_code,
        entry_date as anchor_date,
        false as needs_review
    from arrivals
    where origin = '境外'
),

-- Arrivals are classified by the newest national list up to the end of the day on which the person left. A newer list that is
-- held back may be right, so it makes the classification doubtful.
domestic as (
    select
        arrivals.*,
        (
            select max(snapshots.listed_at) from snapshots
            where snapshots.is_held is not true and snapshots.listed_at < arrivals.left_date + 1
        ) as listed_at,
        (
            select max(snapshots.listed_at) from snapshots
            where snapshots.is_held and snapshots.listed_at < arrivals.left_date + 1
        ) as held_at
    from arrivals
    where
        arrivals.origin <> '境外'
        and (arrivals.arrival_date - arrivals.left_date)
        <= {{ parameter('arrival_lookback_days', 'arrivals.arrival_date') }}
),

classified as (
    select
        domestic.arrival_key,
        bool_or(areas.area = domestic.origin_area and areas.level = '高') as is_high,
        bool_or(areas.area = domestic.origin_area and areas.level = '中') as is_medium,
        bool_or(areas.area = domestic.origin_area) as is_listed,
        bool_or(domestic.held_at > domestic.listed_at) as is_in_doubt
    from domestic
    inner join areas
        on
            domestic.listed_at = areas.listed_at
            and domestic.origin_province = areas.province
            and domestic.origin_city = areas.city
            and domestic.origin_county = areas.county
    group by domestic.arrival_key
),

from_risk_county as (
    select
        arrivals.*,
        case when classified.is_high then '32' when classified.is_medium then '33' else '34' end as group_code,
        case when classified.is_high or classified.is_medium then arrivals.left_date else arrivals.arrival_date end
            as anchor_date,
        classified.is_listed is not true or classified.is_in_doubt is true as needs_review
    from arrivals
    inner join classified on arrivals.arrival_key = classified.arrival_key
),

unioned as (
    select * from from_abroad
    union all
    select * from from_risk_county
)

select
    'arrivals:' || arrival_key as membership_id,
    person_key,
    group_code,
    community,
    grid,
    arrival_date as start_date,
    anchor_date,
    needs_review
from unioned
