-- One row per membership that a discharge creates (annex row 37; article 18). Co-residents come from the roster.
with cases as (select * from {{ ref('stg_platform__cases') }} where discharge_date is not null)

select
    'cases:' || case_key as membership_id,
    person_key,
    '37' as group_code,
    community,
    grid,
    discharge_date as start_date,
    discharge_date as anchor_date
from cases
