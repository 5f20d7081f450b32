-- Every sample that counts, whatever its day, kept from build to build: a partition for each day of sampling.
{{ config(
    materialized=kept(),
    partition_by='sample_date',
    indexes=[{'columns': ['person_key', 'sampled_at']}, {'columns': ['tube_no']}],
    pre_hook="{{ forget_changed_samples(this) }}",
    post_hook="{{ index_not_negative(this) }}",
) }}
-- depends_on: {{ ref('int_sample__bounds') }}, {{ ref('int_sample__changes') }}

select
    person_key,
    sample_key,
    sampled_at,
    sample_date,
    is_single,
    tube_no,
    tested_at,
    result
from {{ ref('int_sample__valid') }}
{%- if increment_since() is not none %}
where file_id in ({{ changed_files() }})
{%- endif %}
