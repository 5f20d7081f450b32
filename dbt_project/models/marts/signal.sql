-- Section 3 (四), article 19 (多点触发): purchases of monitored drugs that together call for a look.
{{ config(indexes=[{'columns': ['signal_id'], 'unique': true}]) }}

with repeats as (select * from {{ ref('int_signal__repeats') }}),

clusters as (select * from {{ ref('int_signal__clusters') }}),

monitored as (select * from {{ ref('int_purchase__monitored') }} where is_monitored),

-- Where a buyer lives is the same on every purchase, unless the register does not know: then where the last one was.
homes as (
    select
        person_key,
        community,
        grid
    from {{ first_per('monitored', 'person_key', 'purchased_at desc, ' ~ bytewise('purchase_key')) }} as newest
),

signals as (
    select
        'repeat_purchase' as kind,
        repeats.person_key as subject,
        repeats.first_on,
        repeats.last_on,
        homes.community,
        homes.grid,
        1 as persons,
        repeats.purchases,
        repeats.person_key
    from repeats
    inner join homes on repeats.person_key = homes.person_key
    union all
    select
        'grid_cluster' as kind,
        community || '/' || grid as subject,
        first_on,
        last_on,
        community,
        grid,
        persons,
        purchases,
        null as person_key
    from clusters
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        kind || ':' || subject || ':' || first_on as signal_id,
        kind,
        first_on,
        last_on,
        last_on = {{ as_of_date() }} as is_new,
        community,
        grid,
        persons,
        purchases,
        person_key,
        '第十九条（多点触发监测预警）：' || {{ chinese_date('first_on') }}
        || case when last_on > first_on then '至' || {{ chinese_date('last_on') }} else '' end
        || case kind
            when 'repeat_purchase' then '，同一人' || purchases || '次购买监测药品，应排查有无发热等症状'
            else '，' || community || grid || '有' || persons || '人' || purchases || '次购买监测药品，应排查有无聚集性发热等症状'
        end as explanation
    from signals
)

select * from final
