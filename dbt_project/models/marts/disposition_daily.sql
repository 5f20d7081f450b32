-- One row per list, community and grid counts the items on D, and the answered ones by answer (policy semantics,
-- "Disposition").
{{ config(indexes=[{'columns': ['as_of_date']}]) }}

with items as (select * from {{ ref('list_item') }}),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        list,
        community,
        grid,
        count(*)::int as items,
        count(result)::int as answered,
        round(count(result)::numeric / count(*), 4)::double precision as answered_share,
        count(*) filter (where result = '已通知')::int as notified,
        count(*) filter (where result = '已采样')::int as sampled,
        count(*) filter (where result = '约定时间')::int as appointed,
        count(*) filter (where result = '联系不上')::int as not_reached,
        count(*) filter (where result = '拒绝')::int as refused,
        count(*) filter (where result = '已搬离')::int as moved_away,
        count(*) filter (where result = '不在辖区')::int as not_here,
        count(*) filter (where result = '信息有误')::int as wrong_data,
        count(*) filter (where result = '申请豁免')::int as exemption_requested
    from items
    group by list, community, grid
)

select * from final
