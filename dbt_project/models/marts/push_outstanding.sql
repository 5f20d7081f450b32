-- Article 7 (日推日清): one row per pushed record that is not cleared by the end of D, for follow-up.
{{ config(indexes=[{'columns': ['feed', 'record_key'], 'unique': true}, {'columns': ['person_key']}]) }}

with records as (select * from {{ ref('int_push__records') }} where clearance = 'open'),

feeds as (select * from {{ ref('feed') }}),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        records.feed,
        records.record_key,
        records.person_key,
        records.community,
        records.pushed_at,
        ({{ as_of_date() }} - records.push_date) + 1 as days_open,
        '第七条：' || feeds.title || '，' || {{ chinese_time('records.pushed_at') }}
        || case records.feed
            when 'contacts' then '判定，缺隔离到位记录'
            when 'referrals' then '下发，缺核查记录'
            else '推送，缺排查记录'
        end
        || '，应于当日24时前完成' as explanation
    from records
    inner join feeds on records.feed = feeds.feed
)

select * from final
