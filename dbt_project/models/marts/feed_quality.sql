-- What came in by each feed, so that the report can say what is missing.
with files as (select * from {{ ref('stg_quality__landed_files') }}),

feeds as (select * from {{ ref('feed') }}),

previous as (
    select max(published_at) as published_at from {{ ref('stg_published__publications') }}
),

counted as (
    select
        files.feed,
        count(*) as files,
        count(*) filter (where previous.published_at is null or files.received_at > previous.published_at) as new_files,
        sum(files.rows_read) as rows_read,
        sum(files.rows_staged) as rows_staged,
        sum(files.rows_rejected) as rows_rejected,
        sum(files.rows_superseded) as rows_superseded,
        sum(files.rows_repaired) as rows_repaired,
        max(files.newest_update) as newest_update,
        count(*) filter (where files.status in ('rejected', 'unknown_feed')) as rejected_files,
        {{ joined(
            "files.file_name || '：' || files.reason", '；', 'files.file_id',
            where="files.status in ('rejected', 'unknown_feed')"
        ) }} as reasons
    from files
    cross join previous
    group by files.feed
),

daily as (
    select
        feed,
        newest_update::date as day,
        sum(rows_read) as rows_read
    from files
    where status = 'staged' and newest_update < {{ as_of_date() }} + 1
    group by feed, newest_update::date
),

followed as (
    select
        feed,
        day,
        rows_read as last_rows,
        lag(rows_read) over (partition by feed order by day) as rows_before
    from daily
),

last_days as (
    select * from {{ first_per('followed', 'feed', 'day desc') }} as newest
),

judged as (
    select
        counted.*,
        coalesce(feeds.feed, counted.feed) as feed_name,
        feeds.title,
        last_days.last_rows,
        last_days.rows_before,
        case
            when counted.rejected_files > 0 then 'rejected'
            when coalesce(counted.rows_read, 0) = 0 and feeds.is_expected then 'missing'
            when counted.newest_update < {{ as_of_date() }} - feeds.stale_after_days + 1 then 'stale'
            when last_days.rows_before >= feeds.thin_from_rows
                and last_days.last_rows < last_days.rows_before * feeds.thin_below_share then 'thin'
            else 'ok'
        end as status
    from feeds
    full outer join counted on feeds.feed = counted.feed
    left join last_days on feeds.feed = last_days.feed
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        feed_name as feed,
        coalesce(title, '未知数据源') as title,
        coalesce(files, 0)::int as files,
        coalesce(new_files, 0)::int as new_files,
        coalesce(rows_read, 0)::bigint as rows_read,
        coalesce(rows_staged, 0)::bigint as rows_staged,
        coalesce(rows_rejected, 0)::bigint as rows_rejected,
        coalesce(rows_superseded, 0)::bigint as rows_superseded,
        coalesce(rows_repaired, 0)::bigint as rows_repaired,
        coalesce(rejected_files, 0)::int as rejected_files,
        newest_update,
        status,
        case status
            when 'rejected' then left(reasons, 2000)
            when 'missing' then '未收到任何数据'
            when 'stale' then '最近一次更新停留在' || {{ chinese_date('newest_update') }}
            when 'thin' then '最近一日' || last_rows || '行，前一日' || rows_before || '行，数量异常偏少'
        end as message
    from judged
)

select * from final
