select
    id_type,
    id_number,
    right_id_type,
    right_id_number
from {{ source('platform', 'document_correction') }}
