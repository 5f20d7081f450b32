-- One row per feed and sender counts the rows in quarantine that nobody has resolved.
with rejected as (select * from {{ ref('stg_quality__rejected_rows') }} where resolved_at is null),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        feed,
        coalesce(sender, '未注明') as sender,
        count(*)::int as rows,
        min(rejected_at) as oldest_at
    from rejected
    group by feed, coalesce(sender, '未注明')
)

select * from final
