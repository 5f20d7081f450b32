-- One row per feed and sender shows what arrived for D, and since when a usually regular sender has been silent.
{{ config(indexes=[{'columns': ['as_of_date']}]) }}

with files as (
    select * from {{ ref('stg_quality__landed_files') }}
    where status = 'staged'
),

parts as (select * from {{ ref('stg_quality__file_parts') }}),

rejected_rows as (select * from {{ ref('stg_quality__rejected_rows') }}),

day_before as (select * from {{ ref('int_publication__day_before') }}),

allowed as (
    select
        {{ parameter('sender_usual_days', as_of_date()) }} as usual_days,
        {{ parameter('sender_missed_days', as_of_date()) }} as missed_days
),

written as (
    select coalesce(sender, '') as sender from parts
    union
    select coalesce(sender, '') as sender from rejected_rows
),

-- Spellings that are equal after folding are one sender, shown under the shortest of them.
spellings as (
    {{ one_spelling('written', 'sender') }}
),

sent as (
    select
        files.feed,
        spellings.name as sender,
        parts.file_id,
        parts.day,
        parts.rows,
        parts.rows_new,
        files.received_at
    from parts
    inner join files on parts.file_id = files.file_id
    inner join spellings on coalesce(parts.sender, '') = spellings.spelling
    where parts.day <= {{ as_of_date() }}
),

-- Rejected rows are counted on the newest day of their file's valid rows. A file without any counts on the first day that is
-- published after its receipt.
refused as (
    select
        files.feed,
        spellings.name as sender,
        count(*) filter (
            where
                files.newest_update::date = {{ as_of_date() }}
                or (
                    files.newest_update is null
                    and (day_before.published_at is null or files.received_at > day_before.published_at)
                )
        ) as rejected
    from rejected_rows
    cross join day_before
    inner join files on rejected_rows.file_id = files.file_id
    inner join spellings on coalesce(rejected_rows.sender, '') = spellings.spelling
    where files.newest_update is null or files.newest_update::date <= {{ as_of_date() }}
    group by files.feed, spellings.name
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
        coalesce(refused.rejected, 0)::bigint as rejected,
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
    left join refused on senders.feed = refused.feed and senders.sender = refused.sender
    left join habits on senders.feed = habits.feed and senders.sender = habits.sender
)

select * from final
