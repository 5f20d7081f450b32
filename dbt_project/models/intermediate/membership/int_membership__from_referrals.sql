-- One row per membership that a list from above creates (group A07; articles 7, 18 and 30). If the verification finds that the
-- person has left or that the entry is wrong, the membership ends on that day.
with referrals as (select * from {{ ref('stg_platform__referrals') }})

select
    'referrals:' || referral_key as membership_id,
    person_key,
    'A07' as group_code,
    community,
    grid,
    handed_down_at::date as start_date,
    coalesce(last_exposure_date, handed_down_at::date) as anchor_date,
    case when verification_result in ('已离开', '信息有误') then verified_at::date end as end_date,
    required_tests,
    control_method
from referrals
