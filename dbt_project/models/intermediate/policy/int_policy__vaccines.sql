-- Article 22: one row per vaccine and edition says which doses make a course, with the days on which the edition is in force.
with vaccines as (
    select * from {{ rows_in_force('policy_vaccine', []) }} as held
),

final as (
    select
        in_force_edition_code as edition_code,
        effective_from,
        effective_to,
        keyword,
        vaccine,
        is_default,
        course_doses,
        booster_doses,
        dose_interval_days,
        booster_interval_days
    from vaccines
)

select * from final
