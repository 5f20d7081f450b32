-- A resident number holds the date of birth (characters 7 to 14); it stands in where the register leaves the cell empty.
-- A person whose document was corrected may stand in the register under both: the row of the right one goes first.
with corrections as (select * from {{ ref('stg_platform__document_corrections') }}),

residents as (
    select
        registered.*,
        coalesce(corrections.right_id_type, registered.id_type) as right_id_type,
        coalesce(corrections.right_id_number, registered.id_number) as right_id_number
    from {{ source('platform', 'residents') }} as registered
    left join corrections
        on registered.id_type = corrections.id_type and registered.id_number = corrections.id_number
),

wrong as (
    select registered.*
    from {{ source('platform', 'residents') }} as registered
    inner join corrections
        on registered.id_type = corrections.id_type and registered.id_number = corrections.id_number
),

-- Rows of wrong documents whose person has a row of the right one, or a later one of another wrong document. Joins find
-- them: a subquery for each resident looks so expensive that PostgreSQL no longer cares how it joins anything else.
repeated as (
    select
        wrong.id_type,
        wrong.id_number
    from wrong
    inner join {{ source('platform', 'residents') }} as other on wrong.person_key = other.person_key
    left join corrections on other.id_type = corrections.id_type and other.id_number = corrections.id_number
    where
        corrections.id_number is null
        or (other.updated_at, other.file_id, other.line) > (wrong.updated_at, wrong.file_id, wrong.line)
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
where not exists (
    select 1 from repeated
    where repeated.id_type = residents.id_type and repeated.id_number = residents.id_number
)
