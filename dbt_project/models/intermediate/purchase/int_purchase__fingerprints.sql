-- A digest of all that the test after a purchase depends on besides samples and the clock: the record and its buyer's lifts.
{{ config(indexes=[{'columns': ['membership_id'], 'unique': true}]) }}

with purchases as (select * from {{ ref('stg_platform__pharmacy_purchases') }})

select
    'pharmacy_purchases:' || purchase_key as membership_id,
    {{ fingerprint('purchases', 'purchases.person_key', "'P19'") }} as fingerprint
from purchases
