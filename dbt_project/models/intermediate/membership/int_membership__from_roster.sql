-- Memberships that the roster of key population names (annex rows 1–38, articles 6 and 28).
with roster as (select * from {{ ref('stg_platform__key_population') }})

select
    record_key as membership_id,
    person_key,
    group_code,
    unit,
    department,
    community,
    grid,
    start_date,
    anchor_date,
    end_date,
    custom_frequency
from roster
