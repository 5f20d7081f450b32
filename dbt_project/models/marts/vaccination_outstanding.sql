-- Article 22: one row per resident aged 60 or over who lacks a dose shows which dose, since when, and the feed's reason against
-- it, if any.
{{ config(indexes=[{'columns': ['person_key'], 'unique': true}]) }}

with elderly as (select * from {{ ref('int_vaccination__elderly') }}),

lacking as (
    select
        *,
        case
            when highest_dose = 0 then 'first_dose'
            when highest_dose < course_doses then 'full_course'
            else 'booster'
        end as lacks,
        case
            when highest_dose = 0 then of_age_since
            when highest_dose < course_doses then last_dose_date + dose_interval_days
            else last_dose_date + booster_interval_days
        end as since
    from elderly
    where highest_dose < course_doses + booster_doses
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        person_key,
        community,
        grid,
        age_band,
        highest_dose as has_doses,
        lacks,
        since,
        exclusion as reason,
        '第二十二条：'
        || case lacks
            when 'first_dose' then '未接种'
            else '已接种' || highest_dose || '剂（' || vaccine || '）'
        end
        || case lacks when 'first_dose' then '，缺第1剂' when 'full_course' then '，缺全程' else '，缺加强针' end
        || coalesce('（' || exclusion || '）', '') as explanation
    from lacking
    -- A dose that is not due yet is not lacking.
    where since <= {{ as_of_date() }}
)

select * from final
