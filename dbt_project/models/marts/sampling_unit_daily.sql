-- Articles 10 and 11, annex rows 23 to 28: each unit on each day of a declared outbreak. In the full round everyone on
-- the roster, counted from its first day; then at least the share (20 %) of the roster every day.
with members as (select * from {{ ref('int_outbreak__member_days') }}),

shares as (
    select
        sampling_day,
        {{ parameter('daily_sample_share', 'sampling_day', 'numeric') }} as share,
        {{ parameter('sample_coverage_days', 'sampling_day') }} as coverage_days
    from (select distinct sampling_day from members) as sampling_days
),

counted as (
    select
        members.start_date,
        min(members.outbreak_id) as outbreak_id,
        members.unit,
        members.group_code,
        min(members.group_name) as group_name,
        {{ joined_distinct('members.department', '、') }} as department,
        case when count(distinct members.community) = 1 then min(members.community) else '' end as community,
        members.sampling_day,
        members.sampling_day <= max(members.round_due_date) as is_full_round,
        min(shares.share) as share,
        count(*) as roster,
        count(*) filter (where not members.is_lifted) as unlifted,
        count(*) filter (where not members.is_lifted and members.last_sample_date is not null) as sampled_in_outbreak,
        count(*) filter (where members.last_sample_date = members.sampling_day) as sampled_on_day,
        count(*) filter (
            where members.last_sample_date > members.sampling_day - shares.coverage_days
        ) as sampled_lately
    from members
    inner join shares on members.sampling_day = shares.sampling_day
    group by members.start_date, members.unit, members.group_code, members.sampling_day
),

required as (
    select
        *,
        case when is_full_round then unlifted else ceil(share * roster) end as required,
        case when is_full_round then sampled_in_outbreak else sampled_on_day end as sampled
    from counted
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        outbreak_id,
        start_date as outbreak_since,
        sampling_day,
        unit,
        group_code,
        group_name,
        department,
        community,
        case when is_full_round then 'full_round' else 'daily' end as phase,
        roster::int as roster,
        required::int as required,
        sampled::int as sampled,
        greatest(required - sampled, 0)::int as shortfall,
        sampled_lately::int as sampled_lately,
        round({{ exact('sampled_lately') }} / roster, 4) as coverage_lately
    from required
)

select * from final
