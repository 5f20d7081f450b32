-- Article 22: how many of the residents of 60 and older have had their doses, community by community.
with residents as (
    select
        coalesce(community, '') as community,
        birth_date
    from {{ ref('stg_platform__residents') }}
    where
        coalesce(moved_in_date, {{ no_start() }}) <= {{ as_of_date() }}
        and coalesce(moved_out_date, {{ no_end() }}) >= {{ as_of_date() }}
),

elderly as (select * from {{ ref('int_vaccination__elderly') }}),

communities as (
    select
        community,
        count(*) filter (where birth_date is null) as residents_of_unknown_age
    from residents
    group by community
),

counted as (
    select
        community,
        count(*) as residents_60plus,
        count(*) filter (where highest_dose >= 1) as dose_1,
        count(*) filter (where highest_dose >= 2) as dose_2,
        count(*) filter (where highest_dose >= 3) as dose_3
    from elderly
    group by community
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        communities.community,
        coalesce(counted.residents_60plus, 0)::int as residents_60plus,
        coalesce(counted.dose_1, 0)::int as dose_1,
        coalesce(counted.dose_2, 0)::int as dose_2,
        coalesce(counted.dose_3, 0)::int as dose_3,
        round({{ exact('counted.dose_3') }} / counted.residents_60plus, 4) as coverage_3,
        communities.residents_of_unknown_age::int as residents_of_unknown_age
    from communities
    left join counted on communities.community = counted.community
)

select * from final
