-- Articles 18, 24 and 34: one row per institution and sampling day of the last days shows how long results took after sampling.
{{ config(indexes=[{'columns': ['institution', 'sampled_on'], 'unique': true}]) }}

with allowed as (
    select {{ parameter('lab_result_hours', as_of_date()) }} as result_hours
),

reported as (
    select
        sample_date as sampled_on,
        coalesce(laboratory, '') as laboratory,
        sampled_at,
        tested_at,
        -- A result from after the end of D was not known on D.
        result <> '待出' and coalesce(tested_at < {{ as_of_date() }} + 1, true) as has_result
    from {{ ref('int_sample__counting') }}
    where sample_date > {{ as_of_date() }} - {{ parameter('lab_turnaround_days', as_of_date()) }}
),

-- Spellings that are equal after folding are one institution, shown under the shortest of them.
institutions as (
    {{ one_spelling('reported', 'laboratory') }}
),

samples as (
    select
        reported.sampled_on,
        coalesce(institutions.name, '') as institution,
        reported.sampled_at,
        reported.has_result,
        case
            when reported.has_result then extract(epoch from reported.tested_at - reported.sampled_at) / 3600
        end as hours
    from reported
    left join institutions on reported.laboratory = institutions.spelling
),

measured as (
    select
        samples.sampled_on,
        samples.institution,
        samples.hours,
        samples.has_result,
        coalesce(samples.hours > allowed.result_hours, false)
        or (
            samples.hours is null and not samples.has_result
            and samples.sampled_at + interval '1 hour' * allowed.result_hours < {{ as_of_date() }} + 1
        ) as is_late
    from samples
    cross join allowed
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        institution,
        sampled_on,
        count(*)::int as samples,
        count(hours)::int as timed,
        count(*) filter (where not has_result)::int as pending,
        count(*) filter (where is_late)::int as late,
        round((percentile_cont(0.5) within group (order by hours))::numeric, 2)::double precision as median_hours,
        round((percentile_cont(0.9) within group (order by hours))::numeric, 2)::double precision as p90_hours,
        round(max(hours), 2)::double precision as longest_hours
    from measured
    group by institution, sampled_on
)

select * from final
