-- Article 28: one row per zone and person who keeps it from being lowered once it has its clear days: the person was not
-- sampled since the screening began, or has no negative result.
{{ config(indexes=[{'columns': ['person_key']}]) }}

with persons as (
    select * from {{ ref('int_zone__round_persons') }}
    where moment = 'present' and coalesce(result, '') <> '阴性' and round_from_date <= {{ as_of_date() }}
),

zones as (select * from {{ ref('int_zone__levels') }}),

residents as (select * from {{ ref('stg_platform__residents') }}),

last_samples as (
    select
        person_key,
        sample_dates[1] as last_sample_date
    from {{ ref('int_sample__person_dates') }}
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        persons.zone_id,
        zones.level,
        persons.person_key,
        coalesce(residents.community, '') as community,
        coalesce(residents.grid, '') as grid,
        coalesce(residents.building, '') as building,
        case persons.result when '阳性' then 'positive' when '待出' then 'result_pending' else 'not_sampled' end as reason,
        persons.round_from_date,
        last_samples.last_sample_date,
        '第二十八条：' || {{ chinese_date('persons.round_from_date') }} || '起的全员筛查'
        || case persons.result
            when '阳性' then {{ chinese_date('persons.sample_date') }} || '结果阳性'
            when '待出' then {{ chinese_date('persons.sample_date') }} || '已采样，结果未出'
            else '尚未采样'
        end as explanation
    from persons
    inner join zones on persons.zone_id = zones.zone_id
    left join residents on persons.person_key = residents.person_key
    left join last_samples on persons.person_key = last_samples.person_key
)

select * from final
