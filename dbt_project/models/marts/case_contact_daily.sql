-- Articles 25 and 26: one row per day and community counts new, released and newly positive cases and contacts (新增、解除、转阳), and
-- the new cases that were known contacts. A contact of several cases is one person. A low share of known contacts means that much
-- of the transmission is undetected.
with events as (select * from {{ ref('int_contact__events') }}),

counted as (
    select
        day,
        community,
        count(*) filter (where kind = 'case' and event = 'new')::int as new_cases,
        count(*) filter (where is_known_contact)::int as known_contacts,
        count(*) filter (where kind = 'case' and event = 'released')::int as discharged,
        {% for kind in ['close_contact', 'secondary_contact'] %}
        {% for event in ['new', 'released', 'positive'] %}
        (count(distinct person_key) filter (where kind = '{{ kind }}' and event = '{{ event }}'))::int
            as {{ kind }}s_{{ event }}{{ ',' if not (loop.last and kind == 'secondary_contact') }}
        {% endfor %}
        {% endfor %}
    from events
    group by day, community
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        *,
        round(known_contacts::numeric / nullif(new_cases, 0), 4)::double precision as known_share
    from counted
)

select * from final
