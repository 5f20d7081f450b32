-- This dimension has one row per competent department that a rule in force on D or a row of another mart names. Joint entries
-- (A、B) are split. The blank department sorts last.
with cells as (
    {% for mart in [
        'obligation', 'bridge_group_department', 'control', 'health_monitoring', 'key_site_disinfection',
        'missing_departure', 'overdue_episode', 'request_followup', 'roster_correction', 'sampling_unit_daily',
        'supply_daily', 'unscheduled',
    ] %}
    select department from {{ ref(mart) }}
    {% if not loop.last %}union{% endif %}
    {% endfor %}
),

named as (
    select distinct departments.department
    from cells
    cross join lateral {{ each_and_all('cells.department') }} as departments (department)
    where departments.department is not null
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        department,
        coalesce(nullif(department, ''), '（未填）') as title,
        row_number() over (order by department = '', department collate "C")::int as sort_order
    from named
)

select * from final
