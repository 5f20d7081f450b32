-- One row per person in the register. A blank date of birth is filled from the resident identity number (characters 7 to 14).
-- If a person's document was corrected, the row under the right document takes precedence.
with registered as (select * from {{ source('platform', 'residents') }}),

wrong as (
    select
        registered.person_key,
        corrections.right_id_type,
        corrections.right_id_number,
        registered.updated_at,
        registered.file_id,
        registered.line
    from {{ source('platform', 'residents') }} as registered
    inner join {{ ref('stg_platform__document_corrections') }} as corrections
        on registered.id_type = corrections.id_type and registered.id_number = corrections.id_number
),

-- These are rows of wrong documents whose person has a row under the right one, or a later row under another wrong one. They
-- are found by joins: a subquery per resident looks so expensive to PostgreSQL that it stops optimizing the other joins.
repeated as (
    select
        wrong.file_id,
        wrong.line
    from wrong
    inner join {{ source('platform', 'residents') }} as other on wrong.person_key = other.person_key
    left join wrong as also_wrong on other.file_id = also_wrong.file_id and other.line = also_wrong.line
    where
        also_wrong.line is null
        or (other.updated_at, other.file_id, other.line) > (wrong.updated_at, wrong.file_id, wrong.line)
),

residents as (
    select
        registered.*,
        coalesce(wrong.right_id_type, registered.id_type) as right_id_type,
        coalesce(wrong.right_id_number, registered.id_number) as right_id_number
    from registered
    left join wrong on registered.file_id = wrong.file_id and registered.line = wrong.line
    where not exists (
        select 1 from repeated
        where repeated.file_id = registered.file_id and repeated.line = registered.line
    )
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
