-- How many hours did each grid need to sample 95 % of a round?
select
    round_id,
    community,
    grid,
    in_scope,
    hours_to_95_percent
from reporting.screening_round
where in_scope > 0
order by hours_to_95_percent desc nulls first, round_id asc, community asc, grid asc
