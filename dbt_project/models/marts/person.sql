-- This mart has one row per person whom another mart names. Only restricted.person is built from it, for the roles that may
-- read personal data.
{{ config(indexes=[{'columns': ['person_key'], 'unique': true}]) }}

with obligations as (select * from {{ ref('obligation') }}),

unscheduled as (select * from {{ ref('unscheduled') }}),

screening as (select * from {{ ref('screening_outstanding') }}),

contacts as (select * from {{ ref('contact_clock') }}),

pushes as (select * from {{ ref('push_outstanding') }}),

purchases as (select * from {{ ref('pharmacy_followup') }}),

positives as (select * from {{ ref('positive_followup') }}),

monitoring as (select * from {{ ref('health_monitoring') }}),

guests as (select * from {{ ref('guest_check') }}),

signals as (select * from {{ ref('signal') }} where person_key is not null),

never_tested as (select * from {{ ref('never_tested') }}),

vaccinations as (select * from {{ ref('vaccination_outstanding') }}),

registered as (select * from {{ ref('stg_platform__identities') }}),

sampled as (select * from {{ ref('int_person__from_samples') }}),

corrections as (select * from {{ ref('stg_platform__document_corrections') }}),

identities as (
    select
        person_key,
        name,
        id_type,
        id_number,
        phone,
        address,
        community,
        grid,
        updated_at,
        file_id,
        line
    from registered
    union all
    select
        person_key,
        case attribute when 'name' then value end,
        id_type,
        id_number,
        case attribute when 'phone' then value end,
        null,
        null,
        null,
        updated_at,
        file_id,
        line
    from sampled
),

controls as (select * from {{ ref('control') }}),

blockers as (select * from {{ ref('zone_blocker') }}),

sampling as (select * from {{ ref('sampling_proposal') }}),

needed as (
    select person_key from obligations
    union all
    select person_key from unscheduled
    union all
    select person_key from screening
    union all
    select person_key from sampling
    union all
    select person_key from blockers
    union all
    select person_key from controls
    union all
    select person_key from contacts
    union all
    select person_key from pushes
    union all
    select person_key from purchases
    union all
    select person_key from {{ ref('missing_departure') }}
    union all
    select person_key from {{ ref('roster_correction') }}
    union all
    select person_key from vaccinations
    union all
    select person_key from positives
    union all
    select person_key from monitoring
    union all
    select person_key from guests
    union all
    select person_key from signals
    union all
    select person_key from never_tested
),

-- Each attribute takes its latest non-empty value, whichever feed wrote it.
newest as (
    select
        identities.person_key,
        min(coalesce(corrections.right_id_type, identities.id_type)) as id_type,
        min(coalesce(corrections.right_id_number, identities.id_number)) as id_number,
        {% for attribute in ['name', 'phone', 'address', 'community', 'grid'] %}
        (array_agg(
            identities.{{ attribute }}
            order by identities.updated_at desc, identities.file_id desc, identities.line desc
        ) filter (where identities.{{ attribute }} <> ''))[1] as {{ attribute }}{{ ',' if not loop.last }}
        {% endfor %}
    from identities
    left join corrections on identities.id_type = corrections.id_type and identities.id_number = corrections.id_number
    where identities.person_key in (select needed.person_key from needed)
    group by identities.person_key
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        person_key,
        name,
        id_type,
        id_number,
        phone,
        address,
        community,
        grid
    from newest
)

select * from final
