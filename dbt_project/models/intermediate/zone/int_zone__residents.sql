-- Article 28: who lives in each zone on the day on which it is judged. One row per zone, moment and resident; a case is
-- marked, not left out. A resident belongs to the zone when (community, grid) is one of its grids; a notice that names no
-- grid means the whole community, so that a missing grid never makes a zone look empty.
with zones as (select * from {{ ref('int_zone__levels') }}),

clocks as (
    select
        zone_id,
        moment,
        judged_on
    from {{ ref('int_zone__clocks') }}
    where moment = 'present' or needs_full_round
),

residents as (select * from {{ ref('stg_platform__residents') }}),

cases as (
    select
        person_key,
        min(sample_date) as sample_date
    from {{ ref('stg_platform__cases') }}
    group by person_key
),

registered as (
    select
        zones.zone_id,
        residents.person_key,
        coalesce(residents.moved_in_date, '-infinity'::date) as moved_in_date,
        coalesce(residents.moved_out_date, 'infinity'::date) as moved_out_date
    from zones
    inner join residents
        on
            residents.community = any(zones.communities)
            and (residents.grid = any(zones.grids) or cardinality(zones.grids) = 0)
),

final as (
    select
        registered.zone_id,
        clocks.moment,
        registered.person_key,
        coalesce(cases.sample_date <= clocks.judged_on, false) as is_case
    from registered
    inner join clocks
        on
            registered.zone_id = clocks.zone_id
            and clocks.judged_on between registered.moved_in_date and registered.moved_out_date
    left join cases on registered.person_key = cases.person_key
)

select * from final
