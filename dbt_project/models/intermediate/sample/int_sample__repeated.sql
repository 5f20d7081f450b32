-- One row per superseded version of a sample that came under both documents of a corrected person, with the day of the version
-- written last.
with corrections as (select * from {{ ref('stg_platform__document_corrections') }}),

documents as (
    select
        id_type,
        id_number
    from corrections
    union
    select
        right_id_type,
        right_id_number
    from corrections
),

samples as (
    select results.*
    from {{ ref('stg_platform__sample_identities') }} as named
    inner join documents on named.id_type = documents.id_type and named.id_number = documents.id_number
    inner join {{ ref('stg_platform__test_results') }} as results
        on named.file_id = results.file_id and named.line = results.line
),

ranked as (
    select
        *,
        row_number() over written as place,
        first_value(sample_date) over written as last_sample_date
    from samples
    window written as (partition by person_key, sample_key order by updated_at desc, file_id desc, line desc)
),

final as (
    select
        person_key,
        sample_key,
        sample_date,
        last_sample_date,
        file_id,
        line
    from ranked
    where place > 1
)

select * from final
