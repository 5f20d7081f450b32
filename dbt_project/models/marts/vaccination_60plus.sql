-- Article 22: one row per community and age band counts the residents aged 60 and over, and how many of them have had their
-- doses.
with elderly as (select * from {{ ref('int_vaccination__elderly') }}),

counted as (
    select
        community,
        age_band,
        count(*) as residents,
        count(*) filter (where highest_dose >= 1) as covered,
        count(*) filter (where highest_dose >= course_doses) as full_course,
        count(*) filter (where highest_dose >= course_doses + booster_doses) as booster
    from elderly
    group by community, age_band
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        community,
        age_band,
        residents::int as residents,
        covered::int as covered,
        full_course::int as full_course,
        booster::int as booster,
        round(covered::numeric / residents, 4)::double precision as covered_share,
        round(full_course::numeric / residents, 4)::double precision as full_course_share,
        round(booster::numeric / residents, 4)::double precision as booster_share
    from counted
)

select * from final
