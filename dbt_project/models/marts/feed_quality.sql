-- What came in by each feed, so that the report can say what is missing.
{% set doubts -%}
    concat_ws(
        '；',
        case
            when suspicious_files > 0 then '有文件疑似不全：' || concat_ws(
                '，',
                case when cut_files > 0 then cut_files || '个末行残缺' end,
                case when unended_files > 0 then unended_files || '个末尾缺少换行' end,
                case when small_files > 0 then small_files || '个行数不足报送单位平日一半' end
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

contradictions as (select * from {{ ref('stg_quality__contradictions') }}),

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

-- Files that brought something of D or later: what an earlier day's file lacked was told then.
doubtful_files as (
    select
        file_id,
        feed,
        {{ is_in("'cut_row'", 'suspicions') }} as is_cut,
        {{ is_in("'no_newline'", 'suspicions') }} as has_no_newline,
        {{ is_in("'few_rows'", 'suspicions') }} as is_few
    from files
    where status = 'staged' and newest_update >= {{ as_of_date() }}
),

doubted as (
    select
        feed,
        count(*) filter (where is_cut or has_no_newline or is_few) as suspicious_files,
        count(*) filter (where is_cut) as cut_files,
        count(*) filter (where has_no_newline) as unended_files,
        count(*) filter (where is_few) as small_files
    from doubtful_files
    group by feed
),

contradicted as (
    select
        contradictions.feed,
        count(*) as contradictions,
        count(*) filter (where {{ is_in("'检测结果'", 'contradictions.columns') }}) as changed_results
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
        coalesce(doubted.suspicious_files, 0) as suspicious_files,
        doubted.cut_files,
        doubted.unended_files,
        doubted.small_files,
        coalesce(contradicted.contradictions, 0) as contradictions,
        contradicted.changed_results,
        case
            when counted.rejected_files > 0 then 'rejected'
            when coalesce(counted.rows_read, 0) = 0 and feeds.is_expected then 'missing'
            when counted.newest_update < {{ as_of_date() }} - feeds.stale_after_days + 1 then 'stale'
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
            when 'thin' then '最近一日' || last_rows || '行，前一日' || rows_before || '行，数量异常偏少'
            when 'doubtful' then {{ doubts }}
        end as message,
        suspicious_files::int as suspicious_files,
        contradictions::bigint as contradictions
    from judged
)

select * from final
