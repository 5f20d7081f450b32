-- Articles 28 and 29: one row per request from people in zones shows whether it was closed within the hours of its kind.
{{ config(indexes=[{'columns': ['request_id'], 'unique': true}]) }}

with requests as (
    select * from {{ ref('stg_platform__requests') }}
    where received_at < {{ as_of_date() }} + 1
),

kinds as (select * from {{ ref('int_policy__requests') }}),

known as (
    select
        requests.request_key,
        requests.zone_key,
        requests.category,
        requests.community,
        requests.grid,
        requests.department,
        requests.received_at,
        kinds.allowed_hours,
        requests.received_at + interval '1 hour' * kinds.allowed_hours as due_at,
        case when requests.closed_at < {{ as_of_date() }} + 1 then requests.closed_at end as closed_at
    from requests
    left join kinds
        on
            requests.category = kinds.category
            and requests.received_at::date between kinds.effective_from and kinds.effective_to
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        request_key as request_id,
        coalesce(zone_key, '') as zone_id,
        category,
        community,
        grid,
        coalesce(department, '') as department,
        received_at,
        closed_at,
        allowed_hours,
        due_at,
        round(
            extract(epoch from coalesce(closed_at, {{ as_of_date() }}::timestamp + interval '1 day') - received_at) / 3600, 2
        )::double precision as hours_open,
        case
            when closed_at <= due_at or (closed_at is not null and due_at is null) then 'satisfied'
            when closed_at is not null then 'satisfied_late'
            when due_at < {{ as_of_date() }} + 1 then 'overdue'
            else 'waiting'
        end as status
    from known
)

select * from final
