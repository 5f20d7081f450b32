select
    {{ record_key('member_key') }} as member_key,
    person_key,
    coalesce({{ comparable_text('team_type') }}, team_type) as team_type,
    level,
    coalesce(community, '') as community,
    nullif(origin, '') as origin,
    updated_at,
    file_id,
    line
from {{ source('platform', 'teams') }}
