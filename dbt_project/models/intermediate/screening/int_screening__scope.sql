-- Article 21: one row per screening round and person who lived in its places on the day on which it began.
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
        (cardinality(rounds.communities) = 0 or residents.community = any(rounds.communities))
        and (cardinality(rounds.grids) = 0 or residents.grid = any(rounds.grids))
        and rounds.started_at::date between coalesce(residents.moved_in_date, '-infinity'::date)
        and coalesce(residents.moved_out_date, 'infinity'::date)
