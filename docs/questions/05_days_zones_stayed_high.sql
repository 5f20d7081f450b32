-- How many days did zones stay at high risk, compared with the days that the rule requires?
select
    zone_id,
    run_number,
    name,
    from_date,
    days,
    rule_days,
    days - rule_days as days_more
from reporting.zone_level_period
where level = '高'
order by days_more desc nulls last, zone_id asc, run_number asc
