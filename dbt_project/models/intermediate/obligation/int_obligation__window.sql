-- Rule family 3: two tests within three days of arrival, the first on arrival (annex row 34; article 30).
-- One row per slot (1 and 2); each stays open until it is discharged or the membership ends.
with memberships as (
    select * from {{ ref('int_membership__unified') }} where rule_family = 'window'
),

samples as (select * from {{ ref('int_sample__counting') }}),

first_samples as (
    select
        memberships.*,
        {{ parameter('window_sample_spacing_hours', 'memberships.anchor_date') }} as spacing_hours,
        (
            select min(samples.sampled_at) from samples
            where
                samples.person_key = memberships.person_key
                and samples.sampled_at >= memberships.anchor_date
                and samples.sample_date <= coalesce(memberships.end_date, {{ no_end() }})
        ) as first_sampled_at
    from memberships
),

both_samples as (
    select
        first_samples.*,
        (
            select min(samples.sampled_at) from samples
            where
                samples.person_key = first_samples.person_key
                and samples.sampled_at >= first_samples.first_sampled_at + interval '1 hour' * first_samples.spacing_hours
                and samples.sample_date <= coalesce(first_samples.end_date, {{ no_end() }})
        ) as second_sampled_at
    from first_samples
),

slots as (
    select
        *,
        1 as slot,
        anchor_date as due_date,
        first_sampled_at::date as satisfied_on
    from both_samples
    union all
    select
        *,
        2 as slot,
        anchor_date + period_days - 1 as due_date,
        second_sampled_at::date as satisfied_on
    from both_samples
),

existing as (
    select
        *,
        {{ lifted_state('slots.person_key', 'slots.group_code', 'slots.due_date') }} as lifted_state
    from slots
    where due_date between start_date and coalesce(end_date, {{ no_end() }})
),

final as (
    select
        membership_id,
        slot,
        due_date,
        case
            when lifted_state is not null then lifted_state
            when satisfied_on <= due_date then 'satisfied'
            when satisfied_on is not null then 'satisfied_late'
            when end_date < {{ as_of_date() }} then 'missed'
            when due_date > {{ as_of_date() }} then 'upcoming'
            else 'overdue'
        end as status,
        case when lifted_state is null then satisfied_on end as satisfied_on,
        rule_text,
        {{ chinese_date('anchor_date') }} || '抵达，第' || slot || '检'
        || case when slot = 2 then '（与第1检间隔满24小时）' else '' end as evidence
    from existing
)

select * from final
