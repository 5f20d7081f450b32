-- Articles 4, 18 and 30: one row per person and day up to D has the number of health reports, the highest temperature, and
-- whether there was a symptom.

with checks as (
    select
        *,
        {{ split_list("translate(symptoms, '。．.', '')") }} as named_symptoms
    from {{ ref('stg_platform__health_checks') }}
    where measured_at < {{ as_of_date() }} + 1
),

-- Records of the same moment are one report; a record without temperature and symptoms is none.
final as (
    select
        person_key,
        measured_at::date as monitored_on,
        count(distinct measured_at)::int as done,
        max(temperature) as highest_temperature,
        bool_or(cardinality({{ without_words_for_none('named_symptoms') }}) > 0) as has_symptom
    from checks
    where temperature is not null or cardinality(named_symptoms) > 0
    group by person_key, measured_at::date
)

select * from final
