-- Articles 24 and 26: one row per positive episode of a person follows it from the sample to the hospital, and shows whether it
-- was reported and transferred in time.
{{ config(indexes=[{'columns': ['positive_id'], 'unique': true}, {'columns': ['person_key']}]) }}

with episodes as (
    select
        *,
        {{ parameter('positive_transfer_hours', 'episodes.clock_from::date') }} as allowed_hours
    from {{ ref('int_positive__episodes') }} as episodes
    -- Episodes under an edition that no longer has everyone transferred are left out.
    where {{ parameter('positives_are_transferred', 'episodes.clock_from::date') }} = 1
),

samples as (select * from {{ ref('int_sample__records') }}),

cases as (select * from {{ ref('stg_platform__cases') }}),

persons as (select * from {{ ref('int_population__persons') }}),

-- A time after the end of D is not known yet.
known as (
    select
        episodes.*,
        coalesce(samples.laboratory, '') as institution,
        coalesce(nullif(persons.community, ''), cases.community, '') as community,
        coalesce(case when persons.community <> '' then persons.grid else cases.grid end, '') as grid,
        episodes.clock_from + interval '1 hour' * episodes.allowed_hours as due_at,
        cases.reported_at,
        coalesce(cases.reported_at, cases.sample_date::timestamp) as told_at,
        case when cases.transferred_at < {{ as_of_date() }} + 1 then cases.transferred_at end as transferred_at,
        case when cases.admitted_at < {{ as_of_date() }} + 1 then cases.admitted_at end as admitted_at,
        case when cases.discharge_date <= {{ as_of_date() }} then cases.discharge_date::timestamp end as discharged_at
    from episodes
    left join samples on episodes.sample_key = samples.sample_key and episodes.person_key = samples.person_key
    left join cases on episodes.case_key = cases.case_key
    left join persons on episodes.person_key = persons.person_key
),

-- An admission (入院时间) or a discharge (出院日期) implies a transfer, even if nobody recorded its time.
stopped as (
    select
        *,
        case
            when case_key is not null and coalesce(transferred_at, admitted_at, discharged_at) is not null
                then greatest(told_at, coalesce(transferred_at, admitted_at, discharged_at))
        end as done_at
    from known
),

judged as (
    select
        *,
        case
            when case_key is null then 'not_reported'
            when admitted_at is not null then 'admitted'
            when done_at is not null then 'transferred'
            else 'not_transferred'
        end as stage,
        case
            when done_at <= due_at then 'satisfied'
            when done_at is not null then 'satisfied_late'
            when due_at < {{ as_of_date() }} + 1 then 'overdue'
            else 'waiting'
        end as status,
        greatest(
            extract(epoch from coalesce(done_at, {{ as_of_date() }}::timestamp + interval '1 day') - clock_from), 0
        ) as seconds
    from stopped
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        person_key || ':' || episode as positive_id,
        person_key,
        case_key,
        sampled_at,
        result_at,
        institution,
        community,
        grid,
        reported_at,
        transferred_at,
        admitted_at,
        stage,
        episode > 0 as again,
        round(seconds / 3600, 2)::double precision as hours,
        due_at,
        status,
        '第二十四条、第二十六条：'
        || case when episode > 0 then '出院后复阳，' else '' end
        || case
            when begins_with_sample
                then {{ chinese_time('sampled_at') }} || '单采，' || {{ chinese_time('result_at') }} || '结果阳性'
            else {{ chinese_date('sampled_at') }} || '采样的感染者，' || {{ chinese_time('clock_from') }}
                || case when reported_at is null then '起计（缺报告时间）' else '报告' end
        end
        || '，应于' || {{ chinese_time('due_at') }} || '前报告并转运；'
        || case stage
            when 'not_reported' then '缺感染者报告，未转运'
            when 'not_transferred'
                then coalesce({{ chinese_time('reported_at') }} || '报告', '已报告（缺报告时间）') || '，未转运'
            else
                coalesce({{ chinese_time('reported_at') }} || '报告', '已报告（缺报告时间）') || '，'
                || coalesce({{ chinese_time('transferred_at') }} || '转运', '已转运（缺转运时间）')
                || coalesce('，' || {{ chinese_time('admitted_at') }} || '入院', '')
        end
        || case status when 'overdue' then '，已超时' when 'satisfied_late' then '，超时' else '' end as explanation
    from judged
)

select * from final
