-- How did the figures of zones, controls, coverage, vaccination and readiness develop over thirty days?
select
    daily.as_of_date,
    daily.indicator_code,
    words.title,
    words.unit,
    daily.value_shown
from reporting.indicator_daily as daily
inner join reporting.indicator as words on daily.indicator_code = words.indicator_code
where
    daily.as_of_date > (select as_of_date from reporting.publication) - 30
    and daily.indicator_code in ('zones', 'controlled', 'screening_coverage', 'vaccination', 'teams_short')
    and daily.community is null and daily.department is null
order by words.sort_order, daily.as_of_date
