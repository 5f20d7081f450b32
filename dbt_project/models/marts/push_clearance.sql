-- Article 7 (日推日清): one row per feed, push date and community counts the pushed records and how many were cleared on the same
-- day.
with records as (select * from {{ ref('int_push__records') }} where clearance <> 'not_pushed'),

feeds as (select * from {{ ref('feed') }}),

counted as (
    select
        feed,
        push_date,
        community,
        count(*)::int as pushed,
        count(*) filter (where clearance = 'same_day')::int as cleared_same_day,
        count(*) filter (where clearance = 'late')::int as cleared_late,
        count(*) filter (where clearance = 'open')::int as open,
        sum(greatest(extract(epoch from cleared_at - pushed_at), 0)) as seconds_to_clear
    from records
    group by feed, push_date, community
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        counted.feed,
        feeds.title,
        counted.push_date,
        counted.community,
        counted.pushed,
        counted.cleared_same_day,
        counted.cleared_late,
        counted.open,
        round(counted.cleared_same_day::numeric / counted.pushed, 4)::double precision as share_same_day,
        case when counted.open > 0 then ({{ as_of_date() }} - counted.push_date) + 1 else 0 end as days_open,
        (coalesce(counted.seconds_to_clear, 0) / 3600)::double precision as hours_to_clear
    from counted
    inner join feeds on counted.feed = feeds.feed
)

select * from final
