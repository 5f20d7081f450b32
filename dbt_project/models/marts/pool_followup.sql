-- Article 24: one row per member of a positive mixed tube follows the person to the result of the single resample.
{{ config(indexes=[{'columns': ['tube_no', 'person_key'], 'unique': true}, {'columns': ['person_key']}]) }}

with resamples as (select * from {{ ref('int_pool__resamples') }}),

samples as (select * from {{ ref('int_sample__records') }}),

judged as (
    select
        resamples.*,
        coalesce(samples.sampling_point, '') as sampling_point,
        case
            when resamples.result = '待出' then 'pending'
            when resamples.result = '阴性' then 'negative'
            when resamples.result = '阳性' then 'positive'
            when resamples.lifted_state is not null then resamples.lifted_state
            when resamples.due_at < {{ as_of_date() }} + 1 then 'overdue'
            else 'waiting'
        end as status
    from resamples
    left join samples on resamples.sample_key = samples.sample_key and resamples.person_key = samples.person_key
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        tube_no,
        membership_id,
        person_key,
        community,
        grid,
        sampling_point,
        pooled_at,
        result_at as tube_result_at,
        due_at,
        resampled_at,
        result,
        status,
        status = 'overdue' or coalesce(resampled_at > due_at, false) as is_late,
        is_result_time_unknown or is_of_another_day as needs_review,
        '第二十四条：试管' || tube_no || '于' || {{ chinese_time('result_at') }} || '结果阳性，应于'
        || {{ chinese_time('due_at') }} || '前单采复核；'
        || case status
            when 'waiting' then '尚缺单采样本'
            when 'overdue' then '缺单采样本，已超时'
            when 'void' then '感染者管理期间，本次不作要求'
            when 'exempt' then '经批准免检，本次不作要求'
            else
                {{ chinese_time('resampled_at') }} || '单采'
                || case when resampled_at > due_at then '（超时）' else '' end
                || case status
                    when 'pending' then '，结果待出'
                    when 'negative' then '，结果阴性'
                    else '，结果阳性，应立即转运'
                end
        end
        || case when is_result_time_unknown then '（缺检测时间，按更新时间计，待核实）' else '' end
        || case when is_of_another_day then '（混采日期与阳性试管不同，试管编号可能重复使用，待核实）' else '' end as explanation
    from judged
)

select * from final
