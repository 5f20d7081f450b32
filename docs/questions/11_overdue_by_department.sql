-- How many are overdue per responsible department? Departments share groups, so these do not add up to the town's figure.
select
    department,
    value_shown as overdue
from reporting.indicator_daily
where indicator_code = 'overdue' and community is null and department <> '' and is_current and part > 0
order by overdue desc, department asc
