-- Section 4 (二), articles 15, 28 and 36: one row per supply and reported day compares the stock with the days that it must
-- last.
{{ config(indexes=[{'columns': ['supply_id', 'reported_on'], 'unique': true}]) }}

with supplies as (
    select
        supply_key,
        item,
        unit_of_measure,
        stock::numeric as stock,
        daily_use::numeric as daily_use,
        coalesce(floor_days, {{ parameter('supply_floor_days', 'supplies.reported_on') }}) as floor_days,
        department,
        reported_on
    from {{ ref('stg_platform__supplies') }} as supplies
    where reported_on <= {{ as_of_date() }}
),

measured as (
    select
        *,
        reported_on = max(reported_on) over (partition by supply_key) as is_newest,
        case when daily_use > 0 then least(stock / daily_use, 1e9) end as days_of_stock,
        daily_use * floor_days as floor_stock
    from supplies
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        supply_key as supply_id,
        coalesce(item, '') as item,
        coalesce(unit_of_measure, '') as unit_of_measure,
        coalesce(department, '') as department,
        reported_on,
        is_newest,
        ({{ as_of_date() }} - reported_on) as days_since,
        stock::double precision as stock,
        daily_use::double precision as daily_use,
        floor_days,
        round(days_of_stock, 1)::double precision as days_of_stock,
        case when daily_use is not null then greatest(floor_stock - stock, 0)::double precision end as shortfall,
        case
            when daily_use is null then 'unknown'
            when stock < floor_stock then 'short'
            else 'enough'
        end as status
    from measured
)

select * from final
