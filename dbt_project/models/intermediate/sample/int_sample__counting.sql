-- Policy semantics, "Tests that count": a nucleic-acid sample up to D whose result is not 无效; 待出 counts.
{{ config(indexes=[{'columns': ['person_key', 'sampled_at']}]) }}

with samples as (select * from {{ ref('stg_platform__test_results') }}),

final as (
    select
        person_key,
        sample_key,
        sampled_at,
        sample_date,
        is_single,
        tube_no,
        tested_at,
        result
    from samples
    where result <> '无效' and sample_date <= {{ as_of_date() }}
)

select * from final
