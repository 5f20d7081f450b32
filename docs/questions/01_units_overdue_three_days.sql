-- Which units had somebody overdue on each of the last three published days?
with last_days as (
    select distinct as_of_date from reporting.compliance_daily order by as_of_date desc limit 3
)

select
    compliance.unit_key,
    max(compliance.unit) as unit,
    sum(compliance.overdue) filter (where compliance.is_current) as overdue
from reporting.compliance_daily as compliance
inner join last_days on compliance.as_of_date = last_days.as_of_date
where compliance.unit_key <> '' and compliance.is_headline and compliance.overdue > 0
group by compliance.unit_key
having count(distinct compliance.as_of_date) = 3
order by overdue desc, compliance.unit_key asc
