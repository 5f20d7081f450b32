-- Article 27: one row per place listed for a case shows its terminal disinfection; the plan requires 100 %.
with case_places as (select * from {{ ref('int_disinfection__case_places') }}),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        case_key,
        place,
        is_known_case,
        source,
        zone_id,
        community,
        grid,
        reported_at,
        listed_at,
        started_at,
        finished_at,
        status,
        status = 'done' as is_done
    from case_places
)

select * from final
