-- One row per feed and sender counts the rows in quarantine that nobody has resolved.
with rejected as (select * from {{ ref('stg_quality__rejected_rows') }} where resolved_at is null),

-- Spellings that are equal after folding are one sender, shown under the shortest of them.
spellings as (
    {{ one_spelling('rejected', 'sender') }}
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        rejected.feed,
        coalesce(spellings.name, '未注明') as sender,
        count(*)::int as rows,
        min(rejected.rejected_at) as oldest_at
    from rejected
    left join spellings on rejected.sender = spellings.spelling
    group by rejected.feed, coalesce(spellings.name, '未注明')
)

select * from final
