-- How many hours does each institution take from sample to result, over 14 days?
select
    institution,
    sum(samples) as samples,
    sum(late) as late,
    sum(median_hours * timed) / nullif(sum(timed) filter (where median_hours is not null), 0) as typical_hours
from reporting.lab_turnaround_daily
where sampled_on > as_of_date - 14
group by institution
order by typical_hours desc nulls last, institution asc
