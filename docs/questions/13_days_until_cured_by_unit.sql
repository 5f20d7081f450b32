-- What is the median number of days until an overdue test was made up for by a sample, by unit?
select
    unit_key,
    count(*) as episodes,
    percentile_cont(0.5) within group (order by days) as median_days
from reporting.overdue_episode
where cured_by = 'sample' and unit_key <> ''
group by unit_key
order by median_days desc, unit_key asc
