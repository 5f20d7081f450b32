-- A single row has the range of sample changes that this build reads, beginning after the last change that both incremental
-- models have processed. Samples that are truncated or written by hand once the build has begun are left to the next build,
-- which reads everything.
with taken_in as (
    select min(change_id) as change_id from {{ ref('stg_intermediate__increments') }}
),

changes as (select * from {{ ref('stg_platform__sample_changes') }}),

final as (
    select
        taken_in.change_id as since_change_id,
        coalesce(
            min(changes.change_id) filter (where changes.file_id is null and changes.change_id > taken_in.change_id) - 1,
            greatest(max(changes.change_id), taken_in.change_id),
            0
        ) as through_change_id
    from taken_in
    left join changes on true
    group by taken_in.change_id
)

select * from final
