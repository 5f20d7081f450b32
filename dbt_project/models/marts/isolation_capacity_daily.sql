-- Articles 8, 26 and 35: one row per isolation site and reported day shows its rooms, its staff, and how soon it can open.
{{ config(indexes=[{'columns': ['site_id', 'reported_on'], 'unique': true}]) }}

with sites as (
    select
        *,
        {{ parameter('isolation_open_hours', 'sites.reported_on') }} as allowed_hours,
        {{ parameter('isolation_site_staff_min', 'sites.reported_on') }} as least_staff,
        {{ parameter('isolation_rooms_free_share', 'sites.reported_on', 'numeric') }} as least_share
    from {{ ref('stg_platform__isolation_sites') }} as sites
    where reported_on <= {{ as_of_date() }}
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        site_key as site_id,
        coalesce(site_name, '') as site_name,
        status as site_status,
        reported_on,
        reported_on = max(reported_on) over (partition by site_key) as is_newest,
        ({{ as_of_date() }} - reported_on) as days_since,
        rooms,
        rooms_free,
        rooms - rooms_free as rooms_taken,
        round(rooms_free::numeric / nullif(rooms, 0), 4)::double precision as free_share,
        staff,
        hours_to_open,
        coalesce(rooms_free < ceil(least_share * rooms), false) as is_nearly_full,
        coalesce(staff, 0) < least_staff as lacks_staff,
        status = '备用' and coalesce(hours_to_open > allowed_hours, true) as opens_late,
        concat_ws(
            '；',
            case when rooms_free is null then '缺可用房间数' when rooms_free < ceil(least_share * rooms) then '可用房间不足' end,
            case when coalesce(staff, 0) < least_staff then '缺专班人员' end,
            case
                when status = '备用' and hours_to_open is null then '缺启用时间'
                when status = '备用' and hours_to_open > allowed_hours then '启用超过' || allowed_hours || '小时'
            end
        ) as lacking
    from sites
)

select * from final
