-- Article 31: one row per topic, figure and community goes to the public once it is signed off. Small counts of persons are
-- suppressed, and so is what would reveal them by subtraction (docs/decisions/protecting-small-counts.md).
with counts as (select * from {{ ref('public_count') }}),

titles as (select * from {{ ref('public_figure_title') }}),

zones as (select * from {{ ref('risk_zone') }}),

town_state as (select * from {{ ref('town_state') }}),

smallest as (
    select {{ parameter('public_count_min', as_of_date()) }} as shown_count
),

-- In the town's own figures, a small part suppresses all parts of its topic but not their sum; a small sum is suppressed too.
town_parts as (
    select
        topic,
        figure,
        sum(value) as value
    from counts
    group by topic, figure
),

town as (
    select
        topic,
        sum(value) as whole,
        bool_or(value > 0 and value < shown_count) as hides_parts,
        sum(value) > 0 and sum(value) < min(shown_count) as hides_whole
    from town_parts
    cross join smallest
    group by topic
),

-- If a community has a small part, all its figures of that topic are suppressed. More communities are suppressed with it until
-- no small count can be derived from the town's figures: at least two, the smallest first, empty ones last.
communities as (
    select
        topic,
        community,
        sum(value) as whole,
        bool_or(value > 0 and value < shown_count) as is_small
    from counts
    cross join smallest
    group by topic, community
),

ordered as (
    select
        *,
        count(*) filter (where is_small) over (partition by topic) as small_communities,
        count(*) over (partition by topic) as all_communities,
        row_number() over community_order as place,
        sum(whole) over community_order as whole_up_to
    from communities
    window community_order as (
        partition by topic
        order by is_small desc, whole = 0 asc, whole asc, community collate "C" asc
    )
),

parts_up_to as (
    select
        ordered.topic,
        ordered.place,
        sum(counts.value) over (partition by counts.topic, counts.figure order by ordered.place) as value
    from ordered
    inner join counts on ordered.topic = counts.topic and ordered.community = counts.community
),

small_up_to as (
    select
        topic,
        place,
        bool_or(value > 0 and value < shown_count) as is_small
    from parts_up_to
    cross join smallest
    group by topic, place
),

-- Suppressing all communities always suffices, because the town's own figures are protected by themselves. So every topic with
-- a small community has a row here.
hidden as (
    select
        ordered.topic,
        min(ordered.place) as places
    from ordered
    inner join town on ordered.topic = town.topic
    inner join small_up_to on ordered.topic = small_up_to.topic and ordered.place = small_up_to.place
    cross join smallest
    where
        ordered.small_communities > 0
        and ordered.place >= greatest(ordered.small_communities, least(2, ordered.all_communities))
        and (town.hides_parts or not small_up_to.is_small)
        and (town.hides_whole or not (ordered.whole_up_to > 0 and ordered.whole_up_to < smallest.shown_count))
    group by ordered.topic
),

places as (
    select
        ordered.*,
        ordered.place <= coalesce(hidden.places, 0) as is_hidden
    from ordered
    left join hidden on ordered.topic = hidden.topic
),

figures as (
    select
        titles.topic,
        titles.figure,
        '' as community,
        case when titles.is_whole then town.whole else town_parts.value end as value,
        case when titles.is_whole then town.hides_whole else town.hides_parts end as is_protected
    from titles
    inner join town on titles.topic = town.topic
    left join town_parts on titles.topic = town_parts.topic and titles.figure = town_parts.figure
    union all
    select
        titles.topic,
        titles.figure,
        places.community,
        case when titles.is_whole then places.whole else counts.value end,
        places.is_hidden
    from titles
    inner join places on titles.topic = places.topic
    left join counts
        on
            titles.topic = counts.topic
            and titles.figure = counts.figure
            and places.community = counts.community
),

numbers as (
    select
        figures.topic,
        figures.figure,
        titles.title,
        figures.community,
        case when not figures.is_protected then figures.value end as value,
        '' as wording,
        titles.unit,
        titles.is_whole,
        figures.is_protected,
        titles.basis,
        titles.sort_order
    from figures
    inner join titles on figures.topic = titles.topic and figures.figure = titles.figure
    union all
    -- Zones are publicly declared places, so their counts need no protection.
    select
        titles.topic,
        titles.figure,
        titles.title,
        '',
        (
            select count(*) from zones
            where zones.level = case titles.figure when 'high' then '高' when 'medium' then '中' end
        ),
        '',
        titles.unit,
        false,
        false,
        titles.basis,
        titles.sort_order
    from titles
    where titles.topic = 'zone'
),

words as (
    select
        titles.topic,
        titles.figure,
        titles.title,
        case town_state.state
            when '急' then '应急状态，自' || {{ chinese_date('town_state.since') }} || '起，第' || town_state.days || '天'
            else '常态化防控'
        end as wording,
        titles.basis,
        titles.sort_order
    from titles
    cross join town_state
    where titles.topic = 'state'
    union all
    select
        'zone',
        -- A key or a name that looks like a person's identity or phone number is not published.
        'zone:' || case
            when zones.zone_id ~ {{ person_number() }} then (row_number() over (order by zones.zone_id collate "C"))::int::text
            else zones.zone_id
        end,
        case
            when coalesce(nullif(zones.name, ''), zones.zone_id) ~ {{ person_number() }} then '未命名风险区'
            else coalesce(nullif(zones.name, ''), zones.zone_id)
        end,
        zones.level || '风险区，自' || {{ chinese_date('zones.level_since') }} || '起',
        '第二十八条',
        1000 + row_number() over (order by zones.level = '高' desc, zones.zone_id collate "C")
    from zones
    where zones.level in ('高', '中')
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        topic,
        figure,
        title,
        community,
        value::int as value,
        wording,
        coalesce(unit, '') as unit,
        is_whole,
        is_protected,
        basis,
        sort_order::int as sort_order
    from numbers
    union all
    select
        {{ as_of_date() }},
        topic,
        figure,
        title,
        '',
        null,
        wording,
        '',
        false,
        false,
        basis,
        sort_order::int
    from words
)

select * from final
