-- Which persons missed three or more tests within 21 days?
select
    person_key,
    count(*) as missed,
    max(due_date) as last_due_date
from reporting.obligation
where status = 'missed' and due_date > as_of_date - 21
group by person_key
having count(*) >= 3
order by missed desc, person_key asc
