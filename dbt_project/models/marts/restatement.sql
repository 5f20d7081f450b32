-- One row per restated day, group, reason and change of status counts the obligations of earlier days that changed since the
-- last publication.
with restated as (select * from {{ ref('int_obligation__restated') }}),

reasons as (select * from {{ ref('restatement_reason') }}),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        restated.restated_date,
        restated.base_publication_id,
        restated.group_code,
        restated.reason_code,
        reasons.reason,
        restated.from_status,
        restated.to_status,
        count(*)::int as rows
    from restated
    inner join reasons on restated.reason_code = reasons.reason_code
    group by
        restated.restated_date, restated.base_publication_id, restated.group_code, restated.reason_code, reasons.reason,
        restated.from_status, restated.to_status
)

select * from final
