-- Rule families 1 and 6: k tests in n days (annex rows 1–22, A28; row 38 and A07 where the record gives a frequency).
-- One row per membership that is active on D and has a standing duty.
with memberships as (
    select * from {{ ref('int_membership__unified') }}
    where
        rule_family in ('rolling', 'as_required')
        and coalesce(end_date, 'infinity'::date) >= {{ as_of_date() }}
),

persons as (select * from {{ ref('int_sample__person_dates') }}),

lifts as (select * from {{ ref('int_lift__intervals') }}),

-- Population: memberships with their k and n; a record without a frequency has no duty.
population as (
    select
        *,
        tests_required as k,
        period_days as n
    from memberships
    where tests_required is not null
),

-- Exclusions: the lift in force on D, and the last one that ended before D, after which the duty starts anew.
lifted as (
    select
        population.membership_id,
        max(lifts.state) filter (
            where {{ as_of_date() }} between lifts.from_date and lifts.to_date
        ) as state,  -- 'void' takes precedence over 'exempt' because it sorts after it.
        max(lifts.to_date) filter (where lifts.to_date < {{ as_of_date() }}) as last_lifted_date
    from population
    inner join lifts
        on
            population.person_key = lifts.person_key
            and (lifts.group_code is null or population.group_code = lifts.group_code)
    group by population.membership_id
),

-- Evidence: the k most recent sample dates are read, newest first.
evidence as (
    select
        population.membership_id,
        persons.sample_dates[1:population.k] as sample_dates
    from population
    left join persons on population.person_key = persons.person_key
),

-- Result: next_due_date = max(S(k) + n, start + n - 1).
due as (
    select
        population.*,
        lifted.state as lifted_state,
        evidence.sample_dates,
        greatest(
            (evidence.sample_dates)[population.k] + population.n,
            greatest(population.start_date, lifted.last_lifted_date + 1) + population.n - 1
        ) as due_date
    from population
    inner join evidence on population.membership_id = evidence.membership_id
    left join lifted on population.membership_id = lifted.membership_id
),

final as (
    select
        membership_id,
        null::int as slot,
        due_date,
        null::date as sampled_on,
        lifted_state,
        'infinity'::date as last_day,
        rule_text,
        case
            when sample_dates[1] is null then '无采样记录'
            when k = 1 then '最近一次采样 ' || {{ chinese_date('sample_dates[1]') }}
            else
                '最近' || cardinality(sample_dates) || '次采样 '
                || {{ chinese_dates('sample_dates') }}
        end as evidence
    from due
    where
        lifted_state is not null
        or due_date <= {{ as_of_date() }}
        or coalesce(end_date, 'infinity'::date) >= due_date
)

select * from final
