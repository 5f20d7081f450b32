-- This dimension has one row per day, from the first day that is listed or published to the last that is forecast.
with published as (select min(as_of_date) as first_day from {{ ref('stg_published__publications') }}),

listed as {{ first_listed_day() }},

bounds as (
    select
        least(listed.first_day, coalesce(published.first_day, listed.first_day)) as first_day,
        {{ as_of_date() }} + {{ parameter('due_horizon_days', as_of_date()) }} as last_day
    from listed
    cross join published
),

days as (
    select numbered.day::date as day
    from bounds
    cross join lateral generate_series(
        bounds.first_day::timestamp,
        bounds.last_day::timestamp,
        interval '1 day'
    ) as numbered (day)
),

numbered as (
    select
        day,
        -- 1900-01-01 was a Monday.
        (day - date '1900-01-01') % 7 + 1 as weekday
    from days
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        day,
        {{ chinese_date('day') }} as title,
        extract(year from day)::int as year,
        extract(month from day)::int as month,
        extract(day from day)::int as day_of_month,
        (day - (weekday - 1))::date as week_begins,
        weekday::int as weekday,
        case weekday
            when 1 then '星期一' when 2 then '星期二' when 3 then '星期三' when 4 then '星期四'
            when 5 then '星期五' when 6 then '星期六' else '星期日'
        end as weekday_title,
        weekday > 5 as is_weekend,
        row_number() over (order by day)::int as sort_order
    from numbered
)

select * from final
