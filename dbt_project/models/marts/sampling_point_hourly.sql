-- Articles 24 and 34: one row per sampling point, day and hour of the last days counts the samples and the persons sampled.
{{ config(indexes=[{'columns': ['sampled_on', 'sampling_point']}]) }}

with allowed as (
    select {{ parameter('sampling_point_days', as_of_date()) }} as shown_days
),

samples as (
    select
        counting.person_key,
        counting.sample_date as sampled_on,
        extract(hour from counting.sampled_at)::int as hour,
        coalesce(counting.sampling_point, '') as spelling
    from {{ ref('int_sample__counting') }} as counting
    cross join allowed
    where counting.sample_date > {{ as_of_date() }} - allowed.shown_days
),

-- Spellings that are equal after folding are one sampling point, shown under the shortest of them.
points as (
    {{ one_spelling('samples', 'spelling') }}
),

named as (
    select
        samples.*,
        coalesce(points.name, '') as sampling_point
    from samples
    left join points on samples.spelling = points.spelling
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        sampling_point,
        sampled_on,
        hour,
        count(*)::int as samples,
        count(distinct person_key)::int as persons
    from named
    group by sampling_point, sampled_on, hour
)

select * from final
