-- One row per record that identifies a person, from every feed except the test results (int_person__from_samples). Only
-- restricted.person is built from it.
{% set feeds = {
    'key_population': ['phone', 'address', 'community', 'grid'],
    'arrivals': ['phone', 'null', 'community', 'grid'],
    'contacts': ['phone', 'null', 'community', 'grid'],
    'cases': ['phone', 'null', 'community', 'grid'],
    'residents': ['phone', 'null', 'community', 'grid'],
    'pharmacy_purchases': ['phone', 'address', 'community', 'null'],
    'referrals': ['phone', 'address', 'community', 'grid'],
    'health_checks': ['phone', 'null', 'null', 'null'],
    'guests': ['phone', 'null', 'null', 'null'],
    'vaccinations': ['phone', 'null', 'null', 'null'],
} %}
{% for feed, (phone, address, community, grid) in feeds.items() %}
select
    person_key,
    person_name as name,
    id_type,
    id_number,
    {{ phone }}::text as phone,
    {{ address }}::text as address,
    {{ community }}::text as community,
    {{ grid }}::text as grid,
    updated_at,
    file_id,
    line
from {{ source('platform', feed) }}
{{ 'union all' if not loop.last }}
{% endfor %}
