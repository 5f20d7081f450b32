-- One row per feed and reason counts the rows in quarantine that nobody has resolved. A row with several reasons counts under
-- each.
with rejected as (select * from {{ ref('stg_quality__rejected_rows') }} where resolved_at is null),

reasons as (select * from {{ ref('rejection_reason') }}),

coded as (
    select
        feed,
        unnest(reason_codes) as reason_code
    from rejected
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        coded.feed,
        coded.reason_code,
        coalesce(reasons.reason, coded.reason_code) as reason,
        count(*)::int as rows
    from coded
    left join reasons on coded.reason_code = reasons.reason_code
    group by coded.feed, coded.reason_code, reasons.reason
)

select * from final
