-- Articles 24 and 34: one row per regional screening round declared up to the end of D, with its deadline.
with declarations as (
    select * from {{ ref('stg_platform__declarations') }}
    where declaration_type = '区域核酸' and started_at < {{ as_of_date() }} + 1
),

timed as (
    select
        *,
        {{ parameter('screening_hours', 'declarations.started_at::date') }} as allowed_hours
    from declarations
),

final as (
    select
        notice_key as round_id,
        communities,
        grids,
        started_at,
        ended_at,
        allowed_hours,
        started_at + interval '1 hour' * allowed_hours as deadline
    from timed
)

select * from final
