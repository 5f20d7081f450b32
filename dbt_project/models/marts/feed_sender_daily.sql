-- One row per feed and sender shows what arrived for D, and since when a usually regular sender has been silent.
{{ config(indexes=[{'columns': ['as_of_date']}]) }}

with files as (
    select * from {{ ref('stg_quality__landed_files') }}
    where status = 'staged'
),

parts as (select * from {{ ref('stg_quality__file_parts') }}),

rejected_rows as (select * from {{ ref('stg_quality__rejected_rows') }}),

allowed as (
    select
        {{ parameter('sender_usual_days', as_of_date()) }} as usual_days,
        {{ parameter('sender_missed_days', as_of_date()) }} as missed_days
),

sent as (
    select
        files.feed,
        coalesce(parts.sender, '') as sender,
        parts.file_id,
        parts.day,
        parts.rows,
        parts.rows_new,
        files.received_at
    from parts
    inner join files on parts.file_id = files.file_id
    where parts.day <= {{ as_of_date() }}
),

-- Rejected rows are counted on the newest day of their file.
refused as (
    select
        files.feed,
        coalesce(rejected_rows.sender, '') as sender,
        files.file_id,
        files.newest_update::date as day,
        count(*) as rejected
    from rejected_rows
    inner join files on rejected_rows.file_id = files.file_id
    where files.newest_update::date <= {{ as_of_date() }}
    group by files.feed, coalesce(rejected_rows.sender, ''), files.file_id, files.newest_update::date
),

lasts as (
    select
        feed,
        sender,
        max(day) filter (where rows_new > 0) as last_on,
        max(received_at) as last_at
    from sent
    group by feed, sender
),

today as (
    select
        feed,
        sender,
        count(distinct file_id) as files,
        sum(rows) as rows
    from sent
    where day = {{ as_of_date() }}
    group by feed, sender
),

refused_today as (
    select
        feed,
        sender,
        sum(rejected) as rejected
    from refused
    where day = {{ as_of_date() }}
    group by feed, sender
),

-- A sender is regular if it sent new rows on nearly every one of the seven days up to its last delivery.
habits as (
    select
        sent.feed,
        sent.sender,
        count(distinct sent.day) as days
    from sent
    inner join lasts on sent.feed = lasts.feed and sent.sender = lasts.sender
    where sent.rows_new > 0 and sent.day > lasts.last_on - 7
    group by sent.feed, sent.sender
),

senders as (
    select
        feed,
        sender
    from lasts
    union
    select
        feed,
        sender
    from refused
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        senders.feed,
        senders.sender,
        coalesce(today.files, 0)::int as files,
        coalesce(today.rows, 0)::bigint as rows,
        coalesce(refused_today.rejected, 0)::bigint as rejected,
        lasts.last_on,
        lasts.last_at,
        case
            when habits.days >= allowed.usual_days and lasts.last_on <= {{ as_of_date() }} - allowed.missed_days
                then lasts.last_on + 1
        end as is_silent_since
    from senders
    cross join allowed
    left join lasts on senders.feed = lasts.feed and senders.sender = lasts.sender
    left join today on senders.feed = today.feed and senders.sender = today.sender
    left join refused_today on senders.feed = refused_today.feed and senders.sender = refused_today.sender
    left join habits on senders.feed = habits.feed and senders.sender = habits.sender
)

select * from final
