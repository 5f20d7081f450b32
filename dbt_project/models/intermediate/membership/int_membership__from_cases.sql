-- Memberships that a confirmed infection creates (new ten measures, item 3): the infected who stay at home. Only
-- asymptomatic ones can be told from the feed, which has no severity; mild cases come from the roster. An edition
-- without a rule for the group makes nothing of them.
with cases as (select * from {{ ref('stg_platform__cases') }} where case_type = '无症状')

select
    'cases:' || case_key as membership_id,
    person_key,
    'N03' as group_code,
    community,
    grid,
    sample_date as start_date,
    sample_date as anchor_date,
    discharge_date as end_date
from cases
