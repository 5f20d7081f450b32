-- Article 28: one row per local zone has its level as of D, and since when, from the zone's last run.
select
    zone_id,
    name,
    communities,
    grids,
    level,
    level_since,
    was_high,
    previous_level,
    previous_level_since,
    previous_communities,
    previous_grids
from {{ ref('int_zone__level_runs') }}
where is_present
