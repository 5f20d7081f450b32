-- This mart has one row per figure with its title, definition and basis; its values are in indicator_daily.
with definitions as (select * from {{ ref('indicator_definition') }}),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        indicator_code,
        sort_order,
        section,
        title,
        unit,
        definition,
        basis,
        better,
        is_share,
        decimals,
        by_community,
        by_department
    from definitions
)

select * from final
