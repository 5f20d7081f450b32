-- One row per membership that the roster of key population names (annex rows 1–38, articles 6 and 28).
with roster as (select * from {{ ref('stg_platform__key_population') }}),

-- Spellings that are equal after folding are one unit or department, shown under the shortest of them.
units as (
    {{ one_spelling('roster', 'unit') }}
),

departments as (
    {{ one_spelling('roster', 'department') }}
),

final as (
    select
        roster.record_key as membership_id,
        roster.person_key,
        roster.group_code,
        coalesce(units.name, roster.unit) as unit,
        coalesce(departments.name, roster.department) as department,
        roster.community,
        roster.grid,
        roster.start_date,
        roster.anchor_date,
        roster.end_date,
        roster.custom_frequency
    from roster
    left join units on roster.unit = units.spelling
    left join departments on roster.department = departments.spelling
)

select * from final
