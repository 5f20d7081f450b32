with cases as (
    select
        case_key as sent_key,
        {{ record_key('case_key') }} as case_key
    from {{ source('platform', 'cases') }}
)

select
    {{ record_key('contact_key', 'contacts') }} as contact_key,
    contacts.person_key,
    coalesce(cases.case_key, contacts.case_key) as case_key,
    contacts.category,
    contacts.last_exposure_date,
    contacts.judged_at,
    contacts.transferred_at,
    contacts.isolated_at,
    contacts.isolation_method,
    contacts.isolation_place,
    contacts.community,
    contacts.grid,
    contacts.updated_at,
    contacts.file_id,
    contacts.line
from {{ source('platform', 'contacts') }} as contacts
left join cases on contacts.case_key = cases.sent_key
