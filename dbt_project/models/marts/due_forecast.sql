-- One row per day after D and community counts the tests that fall due if nobody is sampled meanwhile. The rows come from a
-- cross join of all days and communities, so that a day without due tests shows zero.
with due as (select * from {{ ref('due') }}),

horizon as (
    select {{ parameter('due_horizon_days', as_of_date()) }} as days
),

days as (
    select {{ as_of_date() }} + numbered.day_number as due_date
    from horizon
    cross join lateral generate_series(1, horizon.days) as numbered (day_number)
),

communities as (select distinct community from {{ ref('obligation') }}),

counted as (
    select
        due_date,
        community,
        count(*) as tests_due
    from due
    group by due_date, community
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        days.due_date,
        communities.community,
        coalesce(counted.tests_due, 0)::int as tests_due
    from days
    cross join communities
    left join counted on days.due_date = counted.due_date and communities.community = counted.community
)

select * from final
