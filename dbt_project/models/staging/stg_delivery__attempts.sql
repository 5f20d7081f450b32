select
    attempt_id,
    publication_id,
    what,
    channel,
    audience_kind,
    audience,
    state,
    error
from {{ source('delivery', 'attempt') }}
