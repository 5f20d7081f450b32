-- One row per counting sample of any day; the model is incremental.
{{ config(
    materialized=kept(),
    incremental_strategy='merge',
    unique_key=['person_key', 'sample_date', 'sample_key'],
    indexes=[
        {'columns': ['person_key', 'sample_date desc']},
        {'columns': ['tube_no']},
        {'columns': ['sample_date']},
        {'columns': ['result']},
    ],
    pre_hook="{{ forget_changed_samples() }}",
    post_hook=["{{ note_increment() }}", {'sql': "{{ vacuum() }}", 'transaction': false}],
) }}

{% set changes = ref('int_sample__changes') %}
{% set repeated = ref('int_sample__repeated') %}  {#- The pre-hook needs this dependency. -#}

select
    person_key,
    sample_key,
    sampled_at,
    sample_date,
    sampling_point,
    is_single,
    tube_no,
    laboratory,
    tested_at,
    result
from {{ ref('int_sample__valid') }}
{%- if goes_on() %}
where file_id = any(array({{ changed_files(changes) }}))
-- The merge reads and extends the index in its order.
order by person_key, sample_date desc
{%- endif %}
