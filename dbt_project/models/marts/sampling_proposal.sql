-- Articles 10 and 11: one row per person whom a unit with a running outbreak should sample on D + 1, ranked within its
-- community. Persons who were never sampled come first, then the least recently sampled; ties are broken by person key. In the
-- full round, everyone is proposed who has not been sampled since it began.
{{ config(indexes=[{'columns': ['person_key']}]) }}

with rounds as (
    select * from {{ ref('int_outbreak__rounds') }}
    where end_date is null and {{ as_of_date() }} + 1 between member_from and member_to
),

lifts as (select * from {{ ref('int_lift__intervals') }}),

last_samples as (
    select
        person_key,
        sample_dates[1] as last_sample_date
    from {{ ref('int_sample__person_dates') }}
),

-- Overlapping outbreaks in grids of one community are counted as one, from the earlier start.
opened as (
    select
        *,
        first_value(outbreak_id) over by_opening as first_outbreak_id,
        first_value(start_date) over by_opening as first_start_date,
        first_value(due_date) over by_opening as first_due_date
    from rounds
    window by_opening as (partition by unit, group_code, community order by started_at, outbreak_id)
),

roster as (
    select
        first_start_date as start_date,
        unit,
        group_code,
        community,
        person_key,
        min(first_outbreak_id) as outbreak_id,
        min(group_name) as group_name,
        min(department) as department,
        min(grid) as grid,
        min(first_due_date) as round_due_date,
        count(*) over (partition by unit, group_code, community) as roster_size
    from opened
    group by first_start_date, unit, group_code, community, person_key
),

ranked as (
    select
        roster.*,
        last_samples.last_sample_date,
        {{ as_of_date() }} + 1 <= roster.round_due_date as is_full_round,
        row_number() over (
            partition by roster.unit, roster.group_code, roster.community
            order by last_samples.last_sample_date asc nulls first, roster.person_key collate "C"
        ) as place
    from roster
    left join last_samples on roster.person_key = last_samples.person_key
    -- Persons who will be exempt or infected are not proposed, but the share is still taken of the whole roster.
    where
        not exists (
            select 1 from lifts
            where
                roster.person_key = lifts.person_key
                and (lifts.group_code is null or roster.group_code = lifts.group_code)
                and {{ as_of_date() }} + 1 between lifts.from_date and lifts.to_date
        )
),

required as (
    select
        *,
        case
            when is_full_round then roster_size
            else ceil({{ parameter('daily_sample_share', as_of_date() ~ ' + 1', 'numeric') }} * roster_size)
        end as required
    from ranked
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        {{ as_of_date() }} + 1 as proposed_for,
        outbreak_id,
        unit,
        group_code,
        group_name,
        department,
        community,
        grid,
        person_key,
        place::int as place,
        case when is_full_round then 'full_round' else 'daily' end as phase,
        last_sample_date,
        case when is_full_round then '第十条、第十一条：全员检测尚未采样' else '第十条、第十一条：每日抽检' end
        || case
            when last_sample_date is null then '，无采样记录'
            else '，最近一次采样' || {{ chinese_date('last_sample_date') }}
        end as explanation
    from required
    where
        place <= required
        and (not is_full_round or last_sample_date is null or last_sample_date < start_date)
)

select * from final
