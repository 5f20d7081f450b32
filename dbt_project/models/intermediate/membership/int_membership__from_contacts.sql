-- Memberships that contact tracing creates (annex rows 35 and 36; articles 25 and 26).
with contacts as (select * from {{ ref('stg_platform__contacts') }})

select
    'contacts:' || contact_key as membership_id,
    person_key,
    case category when '密接' then '35' when '次密接' then '36' end as group_code,
    isolation_place as unit,
    community,
    grid,
    judged_at::date as start_date,
    last_exposure_date as anchor_date
from contacts
