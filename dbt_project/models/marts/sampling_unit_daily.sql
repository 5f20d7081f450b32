-- Articles 10 and 11, annex rows 23 to 28: one row per outbreak, unit, group, community and day compares required with actual
-- samples. The full round requires a sample since the outbreak's first day from everyone on the roster who is not exempt or
-- infected; after it, at least the share (20 %) of the roster is required every day.
with unit_days as (select * from {{ ref('int_outbreak__unit_days') }}),

-- The share is looked up once per day instead of once per unit, to save time.
shares as materialized (
    select
        sampling_day,
        {{ parameter('daily_sample_share', 'sampling_day', 'numeric') }} as share
    from (select distinct sampling_day from unit_days) as sampling_days
),

required as (
    select
        unit_days.*,
        unit_days.sampling_day <= unit_days.round_due_date as is_full_round,
        case
            when unit_days.sampling_day <= unit_days.round_due_date then unit_days.unlifted
            else ceil(shares.share * unit_days.roster)
        end as required,
        case
            when unit_days.sampling_day <= unit_days.round_due_date then unit_days.sampled_in_outbreak
            else unit_days.sampled_on_day
        end as sampled
    from unit_days
    inner join shares on unit_days.sampling_day = shares.sampling_day
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
        round(sampled_lately::numeric / roster, 4)::double precision as coverage_lately,
        case when unit = '' then '' else 'workplace:' || unit end as unit_key
    from required
)

select * from final
