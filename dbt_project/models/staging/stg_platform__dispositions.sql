select
    disposition_key,
    list_name,
    item_key,
    result,
    nullif(handled_by, '') as handled_by,
    handled_at,
    nullif(remark, '') as remark,
    updated_at,
    file_id,
    line
from {{ source('platform', 'dispositions') }}
