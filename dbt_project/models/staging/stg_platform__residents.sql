-- A resident number holds the date of birth (characters 7 to 14); it stands in where the register leaves the cell empty.
-- A person whose document was corrected may stand in the register under both: the row of the right one goes first.
with registered as (select * from {{ source('platform', 'residents') }}),

corrections as (select * from {{ ref('stg_platform__document_corrections') }}),

residents as (
    select
        registered.*,
        coalesce(corrections.right_id_type, registered.id_type) as right_id_type,
        coalesce(corrections.right_id_number, registered.id_number) as right_id_number,
        corrections.id_number is not null as is_corrected
    from registered
    left join corrections
        on registered.id_type = corrections.id_type and registered.id_number = corrections.id_number
)

select
    person_key,
    coalesce(
        birth_date,
        case
            when right_id_type = '居民身份证' and pg_input_is_valid(substr(right_id_number, 7, 8), 'date')
                then substr(right_id_number, 7, 8)::date
        end
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
from residents
where
    not is_corrected
    or not exists (
        select 1 from residents as other
        where
            other.person_key = residents.person_key
            and (
                not other.is_corrected
                or (other.updated_at, other.file_id, other.line) > (residents.updated_at, residents.file_id, residents.line)
            )
    )
