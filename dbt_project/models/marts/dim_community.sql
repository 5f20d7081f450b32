-- This dimension has one row per community that a row of another mart may name. The blank community sorts last.
with named as (
    {% for mart in [
        'obligation', 'bridge_zone_community', 'case_contact_daily', 'contact_clock', 'control', 'disposition_daily',
        'event_approval', 'grid_population', 'guest_check', 'health_monitoring', 'inspection_followup', 'missing_departure',
        'overdue_episode', 'pharmacy_followup', 'pool_followup', 'positive_followup', 'push_clearance', 'request_followup',
        'roster_correction', 'sampling_unit_daily', 'screening_round', 'signal', 'terminal_disinfection', 'unscheduled',
        'vaccination_60plus', 'zone_blocker',
    ] %}
    select community from {{ ref(mart) }}
    union
    {% endfor %}
    select community from {{ ref('readiness') }}
    where level = '社区'
    union
    select places.community
    from {{ ref('key_site_disinfection') }} as sites
    cross join lateral unnest(sites.communities) as places (community)
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
