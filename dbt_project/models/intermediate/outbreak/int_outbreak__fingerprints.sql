-- A digest of all that a unit's days of an outbreak depend on besides samples: its roster, the roster's lifts, and the last
-- day so far. While an outbreak goes on it changes each day.
{{ config(indexes=[{'columns': ['start_date', 'unit', 'group_code'], 'unique': true}]) }}

with rounds as (select * from {{ ref('int_outbreak__rounds') }}),

members as (
    select
        start_date,
        unit,
        group_code,
        membership_id,
        least(end_date, {{ as_of_date() }}) as last_day,
        {{ fingerprint('rounds', 'rounds.person_key', 'rounds.group_code') }} as fingerprint
    from rounds
)

select
    start_date,
    unit,
    group_code,
    md5({{ joined("fingerprint || last_day", ' ', 'membership_id') }}) as fingerprint
from members
group by start_date, unit, group_code
