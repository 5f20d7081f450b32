-- Article 21: everyone in the scope of a screening round: who lived in its places on the day on which it began.
{{ config(indexes=[{'columns': ['round_id', 'person_key'], 'unique': true}]) }}

with rounds as (select * from {{ ref('int_screening__rounds') }}),

residents as (select * from {{ ref('stg_platform__residents') }})

select
    rounds.round_id,
    rounds.started_at,
    rounds.deadline,
    residents.person_key,
    coalesce(residents.community, '') as community,
    coalesce(residents.grid, '') as grid,
    coalesce(residents.building, '') as building
from rounds
inner join residents
    on
        (cardinality(rounds.communities) = 0 or {{ is_in('residents.community', 'rounds.communities') }})
        and (cardinality(rounds.grids) = 0 or {{ is_in('residents.grid', 'rounds.grids') }})
        and rounds.started_at::date between coalesce(residents.moved_in_date, {{ no_start() }})
        and coalesce(residents.moved_out_date, {{ no_end() }})
