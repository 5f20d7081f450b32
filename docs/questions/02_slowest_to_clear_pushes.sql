-- Which community takes the most hours to clear pushed records, over four weeks?
select
    community,
    sum(hours_to_clear) / sum(cleared_same_day + cleared_late) as mean_hours,
    sum(open) as still_open
from reporting.push_clearance
where push_date > as_of_date - 28
group by community
having sum(cleared_same_day + cleared_late) > 0
order by mean_hours desc, community asc
