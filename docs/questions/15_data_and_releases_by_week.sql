-- How many feeds came late, how many rows were rejected and how many days were released by hand, by week?
with days as (
    select
        as_of_date,
        max(part) filter (where indicator_code = 'feeds') as feeds_late,
        max(part) filter (where indicator_code = 'rejected') as rejected
    from reporting.indicator_daily
    where indicator_code in ('feeds', 'rejected') and community is null and department is null
    group by as_of_date
),

moved as (
    select
        *,
        rejected - lag(rejected) over (order by as_of_date) as rejected_since
    from days
)

select
    date_trunc('week', moved.as_of_date)::date as week,
    sum(moved.feeds_late) as feeds_late,
    coalesce(sum(moved.rejected_since), 0) as rejected,
    count(*) filter (where publication.quality_status = 'released_by_hand') as released_by_hand
from moved
inner join reporting.publication_history as publication on moved.as_of_date = publication.as_of_date
group by week
order by week
