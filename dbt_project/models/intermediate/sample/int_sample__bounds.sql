-- From which change of the samples to which this build reads: after the last one that every increment has taken in.
-- Without a first one everything is read anew: an increment is not there, its code changed, or samples were emptied or written by hand.
{%- if target.type == 'spark' %}
select
    null::bigint as since_change_id,
    0::bigint as through_change_id
{%- else %}
{%- set increments = increments() %}

with expected (model, definition) as (
    values {% for model, definition in increments %}('{{ model }}', '{{ definition }}'){{ ', ' if not loop.last }}{% else %}('', ''){% endfor %}
),

changes as (select * from {{ ref('stg_platform__sample_changes') }}),

taken_in as (
    select
        coalesce(bool_and(to_regclass(expected.model) is not null and progress.change_id is not null), false) as is_complete,
        min(progress.change_id) as change_id
    from expected
    left join {{ ref('stg_intermediate__increments') }} as progress
        on expected.model = progress.model and expected.definition = progress.definition
),

newest as (
    select
        coalesce(max(change_id), 0) as change_id,
        max(change_id) filter (where file_id is null) as emptied_id
    from changes
)

select
    case
        when taken_in.is_complete and not coalesce(newest.emptied_id > taken_in.change_id, false) and {{ may_go_on() }}
            then taken_in.change_id
    end as since_change_id,
    greatest(newest.change_id, case when taken_in.is_complete then taken_in.change_id end) as through_change_id
from taken_in
cross join newest
{%- endif %}
