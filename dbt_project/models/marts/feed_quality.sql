-- This mart has one row per feed with its counts of files and rows, so that the report can say which data is missing.
{% set doubts -%}
    concat_ws(
        '；',
        case
            when suspicious_files > 0 then '有文件疑似不全：' || concat_ws(
                '，',
                case when cut_files > 0 then cut_files || '个末行残缺' end,
                case when unended_files > 0 then unended_files || '个末尾缺少换行' end,
                case when small_files > 0 then small_files || '个行数不足报送单位平日一半' end,
                case when changed_files > 0 then changed_files || '个中途列数改变' end,
                case when old_dated_files > 0 then old_dated_files || '个有1900年前后的日期' end,
                case when lacking_files > 0 then lacking_files || '个全量名单缺少以前报过的记录' end,
                case when shrunk_files > 0 then shrunk_files || '个全量名单行数不足前一份一半' end
            )
        end,
        case
            when contradictions > 0
                then '更新时间相同而内容不同的记录' || contradictions || '条' || case
                    when changed_results > 0 then '（其中检测结果不同' || changed_results || '条）' else ''
                end || '，以后到的为准'
        end
    )
{%- endset %}
with files as (select * from {{ ref('stg_quality__landed_files') }}),

feeds as (select * from {{ ref('feed') }}),

snapshots as (select * from {{ ref('stg_national__risk_area_snapshots') }}),

areas as (select * from {{ ref('stg_national__risk_areas') }}),

contradictions as (select * from {{ ref('stg_quality__contradictions') }}),

day_before as (select * from {{ ref('int_publication__day_before') }}),

previous as (
    select max(published_at) as published_at from {{ ref('stg_published__publications') }}
),

-- A file that was rejected before the day before D was published was reported then. It must not hide what its feed lacks now.
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
        string_agg(files.file_name || '：' || files.reason, '；' order by files.file_id) filter (
            where
                files.status in ('rejected', 'unknown_feed')
                and (day_before.published_at is null or files.received_at > day_before.published_at)
        ) as reasons
    from files
    cross join previous
    cross join day_before
    group by files.feed
),

daily as (
    select
        feed,
        newest_update::date as day,
        sum(rows_read)::bigint as rows_read
    from files
    where status = 'staged' and feed <> 'risk_areas' and newest_update < {{ as_of_date() }} + 1
    group by feed, newest_update::date
),

-- Each national list is a full snapshot, so areas that a truncated list lacks look as if they had been lowered. Its volume is
-- therefore compared from list to list.
listed as (
    select
        'risk_areas' as feed,
        snapshots.listed_at,
        coalesce(snapshots.is_held, false) as is_held,
        count(areas.listed_at) as areas
    from snapshots
    left join areas on snapshots.listed_at = areas.listed_at
    where snapshots.listed_at < {{ as_of_date() }} + 1
    group by snapshots.listed_at, snapshots.is_held
),

volumes as (
    select
        feed,
        day::timestamp as brought_at,
        rows_read,
        false as is_held
    from daily
    union all
    select
        feed,
        listed_at as brought_at,
        areas as rows_read,
        is_held
    from listed
),

followed as (
    select
        feed,
        brought_at,
        is_held,
        rows_read as last_rows,
        lag(rows_read) over (partition by feed order by brought_at) as rows_before
    from volumes
),

last_days as (
    select * from (
        select distinct on (feed) * from followed
        order by feed, brought_at desc
    ) as newest
),

-- Only files with data of D or later are checked; doubts about earlier files were reported on their own day.
doubtful_files as (
    select
        file_id,
        feed,
        'cut_row' = any(suspicions) as is_cut,
        'no_newline' = any(suspicions) as has_no_newline,
        'few_rows' = any(suspicions) as is_few,
        'other_columns' = any(suspicions) as has_other_columns,
        'old_dates' = any(suspicions) as has_old_dates,
        'vanished' = any(suspicions) as lacks_records,
        'shrunk' = any(suspicions) as has_shrunk
    from files
    where status = 'staged' and newest_update >= {{ as_of_date() }}
),

doubted as (
    select
        feed,
        count(*) filter (
            where is_cut or has_no_newline or is_few or has_other_columns or has_old_dates or lacks_records or has_shrunk
        ) as suspicious_files,
        count(*) filter (where is_cut) as cut_files,
        count(*) filter (where has_no_newline) as unended_files,
        count(*) filter (where is_few) as small_files,
        count(*) filter (where has_other_columns) as changed_files,
        count(*) filter (where has_old_dates) as old_dated_files,
        count(*) filter (where lacks_records) as lacking_files,
        count(*) filter (where has_shrunk) as shrunk_files
    from doubtful_files
    group by feed
),

contradicted as (
    select
        contradictions.feed,
        count(*) as contradictions,
        count(*) filter (where '检测结果' = any(contradictions.columns)) as changed_results
    from contradictions
    inner join doubtful_files on contradictions.file_id = doubtful_files.file_id
    group by contradictions.feed
),

judged as (
    select
        counted.*,
        coalesce(feeds.feed, counted.feed) as feed_name,
        feeds.title,
        last_days.last_rows,
        last_days.rows_before,
        last_days.is_held,
        coalesce(doubted.suspicious_files, 0) as suspicious_files,
        doubted.cut_files,
        doubted.unended_files,
        doubted.small_files,
        doubted.changed_files,
        doubted.old_dated_files,
        doubted.lacking_files,
        doubted.shrunk_files,
        coalesce(contradicted.contradictions, 0) as contradictions,
        contradicted.changed_results,
        case
            when counted.reasons is not null then 'rejected'
            when coalesce(counted.rows_read, 0) = 0 and feeds.is_expected then 'missing'
            when counted.newest_update < {{ as_of_date() }} - feeds.stale_after_days + 1 then 'stale'
            when last_days.is_held then 'thin'
            when last_days.rows_before >= feeds.thin_from_rows
                and last_days.last_rows < last_days.rows_before * feeds.thin_below_share then 'thin'
            when doubted.suspicious_files > 0 or contradicted.contradictions > 0 then 'doubtful'
            else 'ok'
        end as status
    from feeds
    full outer join counted on feeds.feed = counted.feed
    left join last_days on feeds.feed = last_days.feed
    left join doubted on feeds.feed = doubted.feed
    left join contradicted on feeds.feed = contradicted.feed
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
            when 'thin' then concat(
                case feed_name when 'risk_areas' then '最近一份名单' else '最近一日' end, last_rows, '行，',
                case feed_name when 'risk_areas' then '前一份' else '前一日' end, rows_before, '行，数量异常偏少',
                case when is_held then '，确认前仍用以前的名单' end
            )
            when 'doubtful' then {{ doubts }}
        end as message,
        suspicious_files::int as suspicious_files,
        contradictions::bigint as contradictions
    from judged
)

select * from final
