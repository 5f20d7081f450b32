-- Article 22: the residents who have reached the age on D, and the highest dose that each has had by then.
with residents as (
    select * from {{ ref('stg_platform__residents') }}
    where
        coalesce(moved_in_date, {{ no_start() }}) <= {{ as_of_date() }}
        and coalesce(moved_out_date, {{ no_end() }}) >= {{ as_of_date() }}
),

vaccinations as (
    select * from {{ ref('stg_platform__vaccinations') }}
    where vaccinated_date <= {{ as_of_date() }}
),

limits as (
    select {{ parameter('vaccination_age', as_of_date()) }} as years
),

elderly as (
    select residents.*
    from residents
    cross join limits
    where (residents.birth_date + interval '1 year' * limits.years)::date <= {{ as_of_date() }}
),

doses as (
    select
        person_key,
        max(dose) as highest_dose
    from vaccinations
    group by person_key
),

final as (
    select
        elderly.person_key,
        coalesce(elderly.community, '') as community,
        coalesce(elderly.grid, '') as grid,
        coalesce(doses.highest_dose, 0) as highest_dose
    from elderly
    left join doses on elderly.person_key = doses.person_key
)

select * from final
