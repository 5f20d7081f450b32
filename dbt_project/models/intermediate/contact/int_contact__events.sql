-- Articles 25 and 26: one row per event of a case or a contact up to D: it is new, discharged or released, or turned positive.
-- A new case was a known contact if the person was judged a contact before the case was found, with an exposure within the
-- lookback days.

with allowed as (
    select
        {{ parameter('contact_lookback_days', as_of_date()) }} as lookback_days
),

cases as (
    select
        case_key,
        person_key,
        coalesce(community, '') as community,
        sample_date,
        coalesce(reported_at, sample_date::timestamp) as found_at,
        -- Without a report time, anything on the day of the sample still counts as earlier.
        coalesce(reported_at, sample_date::timestamp + interval '1 day') as known_before,
        discharge_date
    from {{ ref('stg_platform__cases') }}
    where sample_date <= {{ as_of_date() }} and coalesce(reported_at, sample_date::timestamp) < {{ as_of_date() }} + 1
),

contacts as (
    select
        contact_key,
        person_key,
        case category when '密接' then 'close_contact' else 'secondary_contact' end as kind,
        coalesce(community, '') as community,
        last_exposure_date,
        judged_at
    from {{ ref('stg_platform__contacts') }}
    where judged_at < {{ as_of_date() }} + 1
),

releases as (
    select
        record_key,
        min(release_date) as release_date
    from {{ ref('stg_platform__releases') }}
    where release_type = '全部管控' and release_date <= {{ as_of_date() }}
    group by record_key
),

-- Each case is joined to the contact records of its person within the lookback.
known as (
    select
        cases.case_key,
        cases.person_key,
        cases.found_at,
        contacts.contact_key,
        contacts.kind,
        contacts.community,
        contacts.judged_at < cases.known_before as is_known_before
    from cases
    cross join allowed
    inner join contacts
        on
            cases.person_key = contacts.person_key
            and contacts.last_exposure_date between cases.sample_date - allowed.lookback_days and cases.sample_date
),

final as (
    select
        found_at::date as day,
        community,
        'case' as kind,
        'new' as event,
        case_key as record_key,
        person_key,
        case_key in (select known.case_key from known where known.is_known_before) as is_known_contact
    from cases
    union all
    select
        discharge_date as day,
        community,
        'case' as kind,
        'released' as event,
        case_key as record_key,
        person_key,
        false as is_known_contact
    from cases
    where discharge_date <= {{ as_of_date() }}
    union all
    select
        judged_at::date as day,
        community,
        kind,
        'new' as event,
        contact_key as record_key,
        person_key,
        false as is_known_contact
    from contacts
    union all
    select
        releases.release_date as day,
        contacts.community,
        contacts.kind,
        'released' as event,
        contacts.contact_key as record_key,
        contacts.person_key,
        false as is_known_contact
    from contacts
    inner join releases on 'contacts:' || contacts.contact_key = releases.record_key
    union all
    select
        min(found_at)::date as day,
        community,
        kind,
        'positive' as event,
        contact_key as record_key,
        person_key,
        false as is_known_contact
    from known
    where is_known_before
    group by contact_key, person_key, kind, community
)

select * from final
