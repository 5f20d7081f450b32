-- Every nucleic-acid sample whose result is not 无效, whatever its day (policy semantics, "Tests that count"); 待出 counts.
-- Kept from build to build, a partition for each day of sampling.
{{ config(
    materialized='increment',
    partition_by='sample_date',
    indexes=[{'columns': ['person_key', 'sampled_at']}, {'columns': ['tube_no']}],
    pre_hook="delete from {{ this }} as kept using {{ ref('int_sample__changes') }} as changed where kept.sample_date in ({{ changed_days() }}) and kept.sample_date = changed.sample_date and kept.sample_key = changed.sample_key and kept.person_key = changed.person_key",
    post_hook="create index if not exists int_sample__positives on {{ this }} (tube_no) where result = '阳性'",
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
from {{ ref('stg_platform__test_results') }}
where
    result <> '无效'
    {%- if increment_since() is not none %}
    and file_id in ({{ changed_files() }})
    {%- endif %}
