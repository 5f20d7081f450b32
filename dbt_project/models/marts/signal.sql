-- Section 3 (四), articles 18, 19 and 24 (多点触发): one row per early-warning signal that reached the threshold of its kind, with
-- the newest answer to it. The kinds are repeat purchases, purchases in one grid, fevers, positive tubes, units without tests,
-- and several of these in one building.
{{ config(indexes=[{'columns': ['signal_id'], 'unique': true}, {'columns': ['person_key']}]) }}

with repeats as (select * from {{ ref('int_signal__repeats') }}),

clusters as (select * from {{ ref('int_signal__clusters') }}),

fevers as (select * from {{ ref('int_signal__fevers') }}),

tubes as (select * from {{ ref('int_signal__tubes') }}),

untested_units as (select * from {{ ref('int_signal__untested_units') }}),

buildings as (select * from {{ ref('int_signal__buildings') }}),

persons as (select * from {{ ref('int_population__persons') }}),

answers as (select * from {{ ref('int_list__answers') }} where item_kind = 'signal'),

monitored as (select * from {{ ref('int_purchase__monitored') }} where is_monitored),

thresholds as (
    select
        {{ parameter('repeat_purchases', as_of_date()) }} as repeat_purchases,
        {{ parameter('cluster_persons', as_of_date()) }} as cluster_persons,
        {{ parameter('fever_reports', as_of_date()) }} as fever_reports,
        {{ parameter('positive_tubes', as_of_date()) }} as positive_tubes,
        {{ parameter('untested_unit_days', as_of_date()) }} as untested_unit_days,
        {{ parameter('building_signals', as_of_date()) }} as building_signals,
        {{ parameter('disposition_days_before_due', as_of_date()) }} as days_before
),

-- A buyer's home comes from the register and is the same on every purchase. Without a home in the register, the place of the
-- last purchase counts.
homes as (
    select
        person_key,
        community,
        grid
    from (
        select distinct on (person_key) * from monitored
        order by person_key, purchased_at desc, purchase_key collate "C"
    ) as newest
),

signals as (
    select
        'repeat_purchase' as kind,
        repeats.person_key as subject,
        repeats.first_on,
        repeats.last_on,
        repeats.last_on as grew_on,
        homes.community,
        homes.grid,
        '' as place,
        1 as persons,
        repeats.purchases,
        repeats.purchases as reports,
        thresholds.repeat_purchases as threshold,
        repeats.person_key
    from repeats
    inner join homes on repeats.person_key = homes.person_key
    cross join thresholds
    union all
    select
        'grid_cluster' as kind,
        clusters.community || '/' || clusters.grid as subject,
        clusters.first_on,
        clusters.last_on,
        clusters.last_on as grew_on,
        clusters.community,
        clusters.grid,
        '' as place,
        clusters.persons,
        clusters.purchases,
        clusters.persons as reports,
        thresholds.cluster_persons as threshold,
        null as person_key
    from clusters
    cross join thresholds
    union all
    select
        'fever' as kind,
        fevers.person_key as subject,
        fevers.first_on,
        fevers.last_on,
        fevers.last_on as grew_on,
        coalesce(persons.community, '') as community,
        coalesce(persons.grid, '') as grid,
        '' as place,
        1 as persons,
        0 as purchases,
        fevers.reports,
        thresholds.fever_reports as threshold,
        fevers.person_key
    from fevers
    left join persons on fevers.person_key = persons.person_key
    cross join thresholds
    union all
    select
        'positive_tube' as kind,
        tubes.tube_no || '/' || tubes.community as subject,
        tubes.told_on as first_on,
        tubes.told_on as last_on,
        tubes.told_on as grew_on,
        tubes.community,
        tubes.grid,
        tubes.tube_no as place,
        tubes.persons,
        0 as purchases,
        tubes.tubes as reports,
        thresholds.positive_tubes as threshold,
        null as person_key
    from tubes
    cross join thresholds
    union all
    -- An untested unit's signal continues through D. It is new on the day on which its untested days reached the threshold.
    select
        'untested_unit' as kind,
        untested_units.unit || '/' || untested_units.community as subject,
        untested_units.first_on,
        {{ as_of_date() }} as last_on,
        untested_units.first_on + untested_units.untested_days - 1 as grew_on,
        untested_units.community,
        untested_units.grid,
        untested_units.unit as place,
        untested_units.persons,
        0 as purchases,
        untested_units.days as reports,
        thresholds.untested_unit_days as threshold,
        null as person_key
    from untested_units
    cross join thresholds
    union all
    select
        'building_cluster' as kind,
        buildings.community || '/' || buildings.grid || '/' || buildings.building as subject,
        buildings.first_on,
        buildings.last_on,
        buildings.last_on as grew_on,
        buildings.community,
        buildings.grid,
        buildings.building as place,
        buildings.persons,
        0 as purchases,
        buildings.signals as reports,
        thresholds.building_signals as threshold,
        null as person_key
    from buildings
    cross join thresholds
),

named as (
    select
        *,
        kind || ':' || subject || ':' || first_on as signal_id
    from signals
),

answered as (
    select
        named.signal_id,
        {{ newest_answer('answers') }} as result,
        max(answers.handled_at) as handled_at
    from named
    cross join thresholds
    inner join answers
        on named.signal_id = answers.item_id and answers.handled_at >= named.last_on - thresholds.days_before
    group by named.signal_id
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        named.signal_id,
        named.kind,
        named.first_on,
        named.last_on,
        named.grew_on = {{ as_of_date() }} as is_new,
        named.community,
        named.grid,
        named.persons,
        named.purchases,
        named.person_key,
        case named.kind
            when 'fever' then '第十八条'
            when 'untested_unit' then '第十八条'
            when 'positive_tube' then '第二十四条'
            when 'building_cluster' then '第十八条、第十九条'
            else '第十九条'
        end
        || '（多点触发监测预警）：' || {{ chinese_date('named.first_on') }}
        || case when named.last_on > named.first_on then '至' || {{ chinese_date('named.last_on') }} else '' end
        || case named.kind
            when 'repeat_purchase' then '，同一人' || named.purchases || '次购买监测药品，应排查有无发热等症状'
            when 'grid_cluster'
                then
                    '，' || named.community || named.grid || '有' || named.persons || '人' || named.purchases
                    || '次购买监测药品，应排查有无聚集性发热等症状'
            when 'fever' then '，同一人' || named.reports || '次体温达到发热标准，应单采并排查'
            when 'positive_tube'
                then '，试管' || named.place || '混管阳性，' || named.community || '涉及' || named.persons || '人，应单采复核并排查'
            when 'untested_unit'
                then '，' || named.place || '应检' || named.persons || '人连续' || named.reports || '天无一人采样，应核实'
            else
                '，' || named.community || named.grid || named.place || '有' || named.reports || '个信号，涉及' || named.persons
                || '人，应排查有无聚集'
        end as explanation,
        named.place,
        named.reports,
        named.threshold,
        answered.result,
        answered.handled_at
    from named
    left join answered on named.signal_id = answered.signal_id
)

select * from final
