-- A digest of all that the slots of a membership depend on besides samples and the clock: the record, its rule, its lifts.
-- One row per membership of a family with slots.
{{ config(indexes=[{'columns': ['membership_id'], 'unique': true}]) }}

with memberships as (
    select * from {{ ref('int_membership__unified') }}
    where rule_family in ('anchored', 'admission', 'window')
)

select
    membership_id,
    {{ fingerprint('memberships', 'memberships.person_key', 'memberships.group_code') }} as fingerprint
from memberships
