-- Article 7: one row per record that is pushed to the communities says when it was pushed and when it was cleared, as known by
-- the end of D. Arrivals and purchases use 推送时间 and 排查时间, referrals use 下发时间 and 核查时间, and contacts use 判定时间 and the isolation
-- that stops their clock.
with arrivals as (select * from {{ ref('stg_platform__arrivals') }}),

purchases as (select * from {{ ref('stg_platform__pharmacy_purchases') }}),

contacts as (select * from {{ ref('int_contact__clocks') }}),

referrals as (select * from {{ ref('stg_platform__referrals') }}),

records as (
    select
        'arrivals' as feed,
        arrival_key as record_key,
        person_key,
        coalesce(community, '') as community,
        arrival_date as record_date,
        pushed_at,
        investigated_at as cleared_at
    from arrivals
    union all
    select
        'pharmacy_purchases' as feed,
        purchase_key as record_key,
        person_key,
        coalesce(community, '') as community,
        purchased_at::date as record_date,
        pushed_at,
        investigated_at as cleared_at
    from purchases
    union all
    select
        'contacts' as feed,
        contact_key as record_key,
        person_key,
        community,
        judged_at::date as record_date,
        judged_at as pushed_at,
        isolated_at as cleared_at
    from contacts
    union all
    select
        'referrals' as feed,
        referral_key as record_key,
        person_key,
        community,
        handed_down_at::date as record_date,
        handed_down_at as pushed_at,
        verified_at as cleared_at
    from referrals
),

-- A time after the end of D is not known yet.
known as (
    select
        feed,
        record_key,
        person_key,
        community,
        record_date,
        case when pushed_at < {{ as_of_date() }} + 1 then pushed_at end as pushed_at,
        case when cleared_at < {{ as_of_date() }} + 1 then cleared_at end as cleared_at
    from records
),

-- A record without a push time counts under its own date, so that it is not lost.
final as (
    select
        feed,
        record_key,
        person_key,
        community,
        coalesce(pushed_at::date, record_date) as push_date,
        pushed_at,
        cleared_at,
        case
            when pushed_at is null then 'not_pushed'
            when cleared_at is null then 'open'
            when cleared_at::date <= pushed_at::date then 'same_day'
            else 'late'
        end as clearance
    from known
    where coalesce(pushed_at::date, record_date) <= {{ as_of_date() }}
)

select * from final
