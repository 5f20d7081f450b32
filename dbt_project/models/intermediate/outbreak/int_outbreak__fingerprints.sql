-- A digest of all that a unit's days of an outbreak depend on besides samples: its roster and the roster's lifts.
{{ config(indexes=[{'columns': ['start_date', 'unit', 'group_code'], 'unique': true}]) }}

with rounds as (select * from {{ ref('int_outbreak__rounds') }}),

members as (
    select
        start_date,
        unit,
        group_code,
        membership_id,
        {{ fingerprint('rounds', 'rounds.person_key', 'rounds.group_code') }} as fingerprint
    from rounds
)

select
    start_date,
    unit,
    group_code,
    md5({{ joined("fingerprint", ' ', 'membership_id') }}) as fingerprint
from members
group by start_date, unit, group_code
