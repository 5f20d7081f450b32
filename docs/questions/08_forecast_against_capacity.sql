-- On which of the coming days are more tests due than the sampling points took on their best day of the last two weeks?
with capacity as (
    select coalesce(max(persons), 0) as persons
    from (
        select sum(persons) as persons from reporting.sampling_point_hourly
        where sampled_on > as_of_date - 14
        group by sampled_on
    ) as days
)

select
    forecast.due_date,
    sum(forecast.tests_due) as tests_due,
    max(capacity.persons) as best_day,
    sum(forecast.tests_due) > max(capacity.persons) as is_too_much
from reporting.due_forecast as forecast
cross join capacity
group by forecast.due_date
order by forecast.due_date
