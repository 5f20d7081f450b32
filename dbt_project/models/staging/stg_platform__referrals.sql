select
    {{ record_key('referral_key') }} as referral_key,
    person_key,
    category,
    nullif(risk_level, '') as risk_level,
    nullif(origin, '') as origin,
    last_exposure_date,
    handed_down_at,
    coalesce(community, '') as community,
    coalesce(grid, '') as grid,
    verified_at,
    nullif(verification_result, '') as verification_result,
    nullif(control_method, '') as control_method,
    nullif(required_tests, '') as required_tests,
    updated_at,
    file_id,
    line
from {{ source('platform', 'referrals') }}
