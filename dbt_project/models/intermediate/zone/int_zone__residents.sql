-- Article 28: who lives in each zone on D. One row per zone and resident; a case is marked, not left out.
-- A resident belongs to the zone when (community, grid) is one of its grids; a notice that names no grid
-- means the whole community, so that a missing grid never makes a zone look empty.
with zones as (select * from {{ ref('int_zone__levels') }}),

residents as (
    select * from {{ ref('stg_platform__residents') }}
    where
        coalesce(moved_in_date, {{ no_start() }}) <= {{ as_of_date() }}
        and coalesce(moved_out_date, {{ no_end() }}) >= {{ as_of_date() }}
),

cases as (
    select distinct person_key from {{ ref('stg_platform__cases') }}
    where sample_date <= {{ as_of_date() }}
),

final as (
    select
        zones.zone_id,
        residents.person_key,
        cases.person_key is not null as is_case
    from zones
    inner join residents
        on
            {{ is_in('residents.community', 'zones.communities') }}
            and ({{ is_in('residents.grid', 'zones.grids') }} or cardinality(zones.grids) = 0)
    left join cases on residents.person_key = cases.person_key
)

select * from final
