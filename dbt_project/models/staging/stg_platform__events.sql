select
    event_key,
    nullif(event_name, '') as event_name,
    nullif(organizer, '') as organizer,
    coalesce(community, '') as community,
    held_on,
    attendance::int as attendance,
    planned_on,
    health_reviewed_on,
    community_filed_on,
    command_approved_on,
    updated_at,
    file_id,
    line
from {{ source('platform', 'events') }}
