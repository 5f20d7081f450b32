select
    {{ record_key('purchase_key') }} as purchase_key,
    person_key,
    pharmacy,
    pharmacy_key,
    community,
    drug,
    drug_category,
    quantity,
    purchased_at,
    temperature,
    travel_history,
    pushed_at,
    investigated_at,
    investigation_result,
    updated_at,
    file_id,
    line
from {{ source('platform', 'pharmacy_purchases') }}
