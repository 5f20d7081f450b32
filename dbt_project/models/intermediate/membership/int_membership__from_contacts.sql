-- One row per membership that contact tracing creates (annex rows 35 and 36; articles 25 and 26).
with contacts as (select * from {{ ref('stg_platform__contacts') }}),

-- Spellings that are equal after folding are one place of isolation, shown under the shortest of them.
places as (
    {{ one_spelling('contacts', 'isolation_place') }}
)

select
    'contacts:' || contacts.contact_key as membership_id,
    contacts.person_key,
    case contacts.category when '密接' then '35' when '次密接' then '36' end as group_code,
    coalesce(places.name, contacts.isolation_place) as unit,
    contacts.community,
    contacts.grid,
    contacts.judged_at::date as start_date,
    contacts.last_exposure_date as anchor_date
from contacts
left join places on contacts.isolation_place = places.spelling
