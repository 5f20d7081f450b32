-- What is the median time in hours from identification as a contact to isolation, by week?
select
    date_trunc('week', judged_at)::date as week,
    count(*) as contacts,
    percentile_cont(0.5) within group (order by hours) as median_hours
from reporting.contact_clock
where hours is not null and not is_infected
group by week
order by week
