-- How did the town's overdue tests and compliance develop over thirty days?
select
    as_of_date,
    max(value_shown) filter (where indicator_code = 'overdue') as overdue,
    max(value_shown) filter (where indicator_code = 'compliance') as compliance
from reporting.indicator_daily
where
    as_of_date > (select as_of_date from reporting.publication) - 30
    and indicator_code in ('overdue', 'compliance') and community is null and department is null
group by as_of_date
order by as_of_date
