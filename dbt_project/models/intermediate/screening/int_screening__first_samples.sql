-- Article 21: one row per screening round and person in its scope has the first counting sample since the round began, even one
-- after D; it is null if there is none.
{{ config(indexes=[{'columns': ['round_id', 'person_key'], 'unique': true}]) }}

-- A sample of the first day may precede the start of the round; then the next day's counts.
with scope as (
    select
        scope.round_id,
        scope.person_key,
        scope.started_at,
        {{ first_date('dates.sample_dates', 'scope.started_at::date') }} as first_date,
        {{ first_date('dates.sample_dates', 'scope.started_at::date + 1') }} as next_date
    from {{ ref('int_screening__scope') }} as scope
    left join {{ ref('int_sample__dates') }} as dates on scope.person_key = dates.person_key
),

first_samples as (
    select
        scope.round_id,
        scope.person_key,
        min(samples.sampled_at) as sampled_at
    from scope
    inner join {{ ref('int_sample__by_day') }} as samples
        on
            scope.person_key = samples.person_key
            and samples.sample_date in (scope.first_date, scope.next_date)
            and scope.started_at <= samples.sampled_at
    where
        samples.sample_date between (select min(earliest.first_date) from scope as earliest)
        and (select max(greatest(latest.first_date, latest.next_date)) from scope as latest)
    group by scope.round_id, scope.person_key
)

select
    scope.round_id,
    scope.person_key,
    scope.started_at,
    first_samples.sampled_at
from scope
left join first_samples
    on scope.round_id = first_samples.round_id and scope.person_key = first_samples.person_key
