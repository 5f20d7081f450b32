-- Rule family 3: two tests within three days of arrival, the first on arrival (annex row 34; article 30), or of the day on
-- which a list was handed down (A07). One row per slot (1 and 2); each stays open until it is discharged or the membership
-- ends.
with memberships as (
    select * from {{ ref('int_membership__unified') }}
    where rule_family = 'window'
),

persons as (select * from {{ ref('int_sample__person_dates') }}),

spaced as (
    select
        memberships.*,
        {{ parameter('window_sample_spacing_hours', 'memberships.anchor_date') }} as spacing_hours
    from memberships
),

-- Slot 1 is discharged by the first sample from the window's first day on.
first_samples as materialized (
    select
        *,
        (
            select min(samples.sampled_at) from {{ ref('int_sample__counting') }} as samples
            where samples.person_key = dated.person_key and samples.sample_date = dated.first_sampled_on
        ) as first_sampled_at
    from (
        select
            spaced.*,
            persons.sample_dates,
            {{ first_date('persons.sample_dates', 'spaced.window_date') }} as first_sampled_on
        from spaced
        left join persons on spaced.person_key = persons.person_key
    ) as dated
),

-- Slot 2 is discharged by the first sample at least spacing_hours after it, on the day on which these hours are over or later.
both_samples as (
    select
        *,
        case
            when exists (
                select 1 from {{ ref('int_sample__counting') }} as samples
                where
                    samples.person_key = spacings.person_key
                    and samples.sample_date = spacings.spaced_at::date
                    and samples.sampled_at >= spacings.spaced_at
            ) then spaced_at::date
            else {{ first_date('sample_dates', 'spaced_at::date + 1') }}
        end as second_sampled_on
    from (
        select
            *,
            first_sampled_at + interval '1 hour' * spacing_hours as spaced_at
        from first_samples
    ) as spacings
),

slots as (
    select
        *,
        1 as slot,
        window_date as due_date,
        first_sampled_on as satisfied_on
    from both_samples
    union all
    select
        *,
        2 as slot,
        window_date + period_days - 1 as due_date,
        second_sampled_on as satisfied_on
    from both_samples
),

-- A sample that was taken after the membership's end does not count for it.
existing as materialized (
    select
        slots.membership_id,
        slots.person_key,
        slots.slot,
        slots.due_date,
        slots.end_date,
        slots.window_date,
        slots.group_code,
        slots.rule_text,
        case when slots.satisfied_on <= coalesce(slots.end_date, 'infinity'::date) then slots.satisfied_on end as satisfied_on,
        {{ lifted_state('slots.person_key', 'slots.group_code', 'slots.due_date') }} as lifted_state
    from slots
    where slots.due_date between slots.start_date and coalesce(slots.end_date, 'infinity'::date)
),

final as (
    select
        membership_id,
        slot,
        due_date,
        satisfied_on as sampled_on,
        lifted_state,
        coalesce(end_date, 'infinity'::date) as last_day,
        rule_text,
        {{ chinese_date('window_date') }} || case group_code when 'A07' then '下发' else '抵达' end || '，第' || slot || '检'
        || case when slot = 2 then '（与第1检间隔满24小时）' else '' end as evidence
    from existing
)

select * from final
