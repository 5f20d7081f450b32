-- Article 19: one row per purchase of a monitored drug follows it to its investigation and its test.
{{ config(indexes=[{'columns': ['purchase_id'], 'unique': true}, {'columns': ['person_key']}]) }}

with purchases as (select * from {{ ref('int_purchase__monitored') }}),

pushes as (select * from {{ ref('int_push__records') }} where feed = 'pharmacy_purchases'),

tests as (select * from {{ ref('int_obligation__unioned') }} where group_code = 'P19'),

followed as (
    select
        purchases.*,
        pushes.pushed_at,
        pushes.cleared_at as investigated_at,
        pushes.clearance,
        tests.due_date as test_due_date,
        tests.satisfied_on as tested_on,
        tests.status
    from purchases
    inner join pushes on purchases.purchase_key = pushes.record_key
    inner join tests on 'pharmacy_purchases:' || purchases.purchase_key = tests.membership_id
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        purchase_key as purchase_id,
        person_key,
        pharmacy,
        community,
        grid,
        drug,
        category,
        ingredient as matched_ingredient,
        catalogue_category as matched_category,
        form as matched_form,
        is_monitored,
        drug_mismatch,
        purchased_at,
        pushed_at,
        investigated_at,
        case when clearance <> 'not_pushed' then clearance = 'same_day' end as cleared_same_day,
        clearance,
        test_due_date,
        tested_on,
        status,
        '第十九条：' || {{ chinese_time('purchased_at') }} || '购买' || category || '类药品；'
        || case clearance
            when 'not_pushed' then '缺推送时间' || case when investigated_at is null then '，缺排查记录' else '' end
            when 'open' then {{ chinese_time('pushed_at') }} || '推送，缺排查记录'
            when 'late' then {{ chinese_time('pushed_at') }} || '推送，' || {{ chinese_time('investigated_at') }} || '才排查'
            else {{ chinese_time('pushed_at') }} || '推送，当日排查'
        end
        || '；'
        || case status
            when 'upcoming' then '应于' || {{ chinese_date('test_due_date') }} || '24时前检测1次'
            when 'overdue' then '缺检测，应于' || {{ chinese_date('test_due_date') }} || '24时前，已超期'
            when 'satisfied' then {{ chinese_date('tested_on') }} || '已检测'
            when 'satisfied_late' then {{ chinese_date('tested_on') }} || '才检测，超期'
            when 'exempt' then '经批准免检'
            when 'void' then '感染者管理期间，不作要求'
        end
        || coalesce('（' || drug_mismatch || '，待核实）', '') as explanation,
        {{ unit_key('pharmacy', "'pharmacy_purchases:' || purchase_key", "'P19'") }} as unit_key
    from followed
)

select * from final
