-- Memberships that the roster of key population names (annex rows 1–38, articles 6 and 28).
with roster as (select * from {{ ref('stg_platform__key_population') }}),

spellings as (
    select
        unit,
        {{ comparable_text('unit') }} as folded_unit
    from (select distinct unit from roster) as units
),

-- Names that are one after folding are one unit, under its shortest spelling.
units as (
    select
        unit,
        first_value(unit) over (partition by folded_unit order by char_length(unit), unit collate "C") as name
    from spellings
),

final as (
    select
        roster.record_key as membership_id,
        roster.person_key,
        roster.group_code,
        coalesce(units.name, roster.unit) as unit,
        roster.department,
        roster.community,
        roster.grid,
        roster.start_date,
        roster.anchor_date,
        roster.end_date,
        roster.custom_frequency
    from roster
    left join units on roster.unit = units.unit
)

select * from final
