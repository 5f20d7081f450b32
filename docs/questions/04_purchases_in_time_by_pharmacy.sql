-- What share of the tests after a purchase (P19) was on time, by pharmacy?
select
    unit_key,
    max(pharmacy) as pharmacy,
    count(*) as tests_due,
    count(*) filter (where status = 'satisfied')::double precision / count(*) as share_in_time
from reporting.pharmacy_followup
where status in ('satisfied', 'satisfied_late', 'overdue')
group by unit_key
order by share_in_time, unit_key
