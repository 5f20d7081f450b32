-- Article 16: one row per hotel check-in shows how soon it was reported, and whether the guest is on a list.
{{ config(indexes=[{'columns': ['guest_id'], 'unique': true}, {'columns': ['person_key']}]) }}

with guests as (
    select
        *,
        {{ parameter('guest_report_hours', 'guests.checked_in_at::date') }} as allowed_hours
    from {{ ref('stg_platform__guests') }} as guests
    where checked_in_at < {{ as_of_date() }} + 1
),

listed as (select * from {{ ref('int_person__listed') }}),

overdue as (select distinct person_key from {{ ref('overdue') }}),

-- A time after the end of D is not known yet.
known as (
    select
        guest_key,
        person_key,
        coalesce(hotel, '') as hotel,
        community,
        checked_in_at,
        case when checked_out_at < {{ as_of_date() }} + 1 then checked_out_at end as checked_out_at,
        case when reported_at < {{ as_of_date() }} + 1 then reported_at end as reported_at,
        allowed_hours,
        checked_in_at + interval '1 hour' * allowed_hours as due_at
    from guests
),

-- A list counts if it overlaps any day of the stay.
lists as (
    select
        known.guest_key,
        string_agg(distinct listed.list_code, '、' order by listed.list_code) as list_codes
    from known
    inner join listed
        on
            known.person_key = listed.person_key
            and listed.from_date <= coalesce(known.checked_out_at::date, {{ as_of_date() }})
            and listed.to_date >= known.checked_in_at::date
    group by known.guest_key
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        known.guest_key as guest_id,
        known.person_key,
        known.hotel,
        known.community,
        known.checked_in_at,
        known.checked_out_at,
        known.reported_at,
        known.due_at,
        round(
            greatest(
                extract(
                    epoch from
                    coalesce(known.reported_at, {{ as_of_date() }}::timestamp + interval '1 day') - known.checked_in_at
                ),
                0
            ) / 3600, 2
        )::double precision as hours_to_report,
        case
            when known.reported_at <= known.due_at then 'satisfied'
            when known.reported_at is not null then 'satisfied_late'
            when known.due_at < {{ as_of_date() }} + 1 then 'overdue'
            else 'waiting'
        end as status,
        coalesce(lists.list_codes, '') as list_codes,
        overdue.person_key is not null as is_overdue,
        lists.guest_key is not null or overdue.person_key is not null as is_on_list
    from known
    left join lists on known.guest_key = lists.guest_key
    left join overdue on known.person_key = overdue.person_key
)

select * from final
