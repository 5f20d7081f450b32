-- A resident number holds the date of birth (characters 7 to 14); it stands in where the register leaves the cell empty.
select
    person_key,
    coalesce(
        birth_date,
        case when id_type = '居民身份证' then {{ date_or_null('substr(id_number, 7, 8)') }} end
    ) as birth_date,
    community,
    grid,
    building,
    resident_type,
    moved_in_date,
    moved_out_date,
    updated_at,
    file_id,
    line
from {{ source('platform', 'residents') }}
