-- How many persons does each sampling point sample in each hour of the day, over a week?
select
    sampling_point,
    hour,
    sum(persons) as persons,
    max(persons) as most_on_a_day
from reporting.sampling_point_hourly
where sampled_on > as_of_date - 7
group by sampling_point, hour
order by sampling_point, hour
