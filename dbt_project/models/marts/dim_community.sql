-- Every community that a row of the day may name; the one without a name stands last.
with named as (
    {% for mart in [
        'obligation', 'grid_population', 'bridge_zone_community', 'contact_clock', 'control', 'event_approval', 'guest_check',
        'inspection_followup', 'overdue_episode', 'pharmacy_followup', 'pool_followup', 'positive_followup',
        'push_clearance', 'request_followup', 'unscheduled',
    ] %}
    select community from {{ ref(mart) }}
    union
    {% endfor %}
    select community from {{ ref('readiness') }}
    where level = '社区'
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        community,
        coalesce(nullif(community, ''), '（未填）') as title,
        row_number() over (order by community = '', community collate "C")::int as sort_order
    from named
    where community is not null
)

select * from final
