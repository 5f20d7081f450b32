select
    {{ record_key('guest_key') }} as guest_key,
    person_key,
    nullif(hotel, '') as hotel,
    coalesce(community, '') as community,
    checked_in_at,
    checked_out_at,
    reported_at,
    updated_at,
    file_id,
    line
from {{ source('platform', 'guests') }}
