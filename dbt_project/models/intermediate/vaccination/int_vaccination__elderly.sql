-- Article 22: one row per resident who has reached the age on D has the highest dose so far and the doses that make a course
-- with the vaccine of the first dose.
with residents as (select * from {{ ref('int_population__registered') }}),

vaccinations as (select * from {{ ref('stg_platform__vaccinations') }}),

vaccines as (
    select * from {{ ref('int_policy__vaccines') }}
    where {{ as_of_date() }} between effective_from and effective_to
),

defaults as (select * from vaccines where is_default),

limits as (
    select
        {{ parameter('vaccination_age', as_of_date()) }} as years,
        {{ parameter('vaccination_high_age', as_of_date()) }} as high_years
),

elderly as (
    select
        residents.*,
        limits.years,
        limits.high_years,
        (residents.birth_date + interval '1 year' * limits.years)::date as of_age_on,
        (residents.birth_date + interval '1 year' * limits.high_years)::date as of_high_age_on
    from residents
    cross join limits
    where (residents.birth_date + interval '1 year' * limits.years)::date <= {{ as_of_date() }}
),

doses as (
    select
        person_key,
        max(dose) as highest_dose,
        (array_agg(vaccine order by dose, vaccinated_date, vaccination_key))[1] as first_vaccine,
        (array_agg(vaccinated_date order by dose desc, vaccinated_date desc, vaccination_key desc))[1] as last_dose_date
    from vaccinations
    where vaccinated_date <= {{ as_of_date() }} and dose is not null
    group by person_key
),

-- A vaccine is recognized by the longest keyword in its name; a name without a keyword counts as the default.
names as (
    select
        first_vaccine,
        upper(coalesce({{ comparable_text('first_vaccine') }}, '')) as name
    from (select distinct coalesce(first_vaccine, '') as first_vaccine from doses) as written
),

kinds as (
    select
        names.first_vaccine,
        (array_agg(
            vaccines.keyword
            order by
                position(upper(vaccines.keyword) in names.name) > 0 desc,
                char_length(vaccines.keyword) desc,
                vaccines.keyword desc
        ))[1] as keyword
    from names
    inner join vaccines
        on vaccines.is_default or position(upper(vaccines.keyword) in names.name) > 0
    group by names.first_vaccine
),

-- The reason that was updated last counts.
exclusions as (
    select
        person_key,
        (array_agg(exclusion order by updated_at desc, file_id desc, line desc))[1] as exclusion
    from vaccinations
    where exclusion is not null
    group by person_key
),

final as (
    select
        elderly.person_key,
        coalesce(elderly.community, '') as community,
        coalesce(elderly.grid, '') as grid,
        case
            when elderly.of_high_age_on <= {{ as_of_date() }} then elderly.high_years || '+'
            else elderly.years || '-' || (elderly.high_years - 1)
        end as age_band,
        greatest(elderly.of_age_on, elderly.moved_in_date) as of_age_since,
        coalesce(doses.highest_dose, 0) as highest_dose,
        doses.last_dose_date,
        coalesce(vaccines.vaccine, defaults.vaccine) as vaccine,
        coalesce(vaccines.course_doses, defaults.course_doses) as course_doses,
        coalesce(vaccines.booster_doses, defaults.booster_doses) as booster_doses,
        coalesce(vaccines.dose_interval_days, defaults.dose_interval_days) as dose_interval_days,
        coalesce(vaccines.booster_interval_days, defaults.booster_interval_days) as booster_interval_days,
        exclusions.exclusion
    from elderly
    left join doses on elderly.person_key = doses.person_key
    left join kinds on coalesce(doses.first_vaccine, '') = kinds.first_vaccine and doses.person_key is not null
    left join vaccines on kinds.keyword = vaccines.keyword
    cross join defaults
    left join exclusions on elderly.person_key = exclusions.person_key
)

select * from final
