-- Articles 4, 6, 7, 8, 18, 25, 26 and 30: one row per control of a person (membership) has its state on D, the tests done and
-- missing, whether it may be released and what is missing for that, and whether it was released too early.
{{ config(indexes=[{'columns': ['membership_id'], 'unique': true}, {'columns': ['person_key']}]) }}

with periods as (select * from {{ ref('int_control__periods') }}),

tests as (
    select
        membership_id,
        count(*) filter (where not is_lifted) as tests_required,
        count(*) filter (where satisfied_on is not null and not is_lifted) as tests_done,
        array_agg(lacking order by due_date, slot) filter (where lacking is not null) as lacking,
        array_agg(lacking order by due_date, slot) filter (where lacking is not null and is_in_isolation)
            as lacking_in_isolation,
        max(satisfied_on) filter (where not is_lifted) as last_test_on
    from {{ ref('int_control__tests') }}
    group by membership_id
),

-- Article 4: leaving central isolation needs negative results for the person, the objects and the environment; once an
-- infection is excluded, the last two need not be negative. This applies only if the isolation took place here.
judged as (
    select
        periods.*,
        coalesce(tests.tests_required, 0) as tests_required,
        coalesce(tests.tests_done, 0) as tests_done,
        tests.last_test_on,
        coalesce(tests.lacking, '{}'::text[]) as lacking,
        coalesce(tests.lacking_in_isolation, '{}'::text[]) as lacking_in_isolation,
        case
            when
                periods.control_code <> 'inbound' or periods.place not like '%集中%' or periods.was_isolated_elsewhere
                then '{}'::text[]
            when not periods.has_release_record then array_remove(array['缺集中隔离解除记录（人、物、环境结果）'], null)
            else array_remove(array[
                case
                    when coalesce(periods.person_result, '') <> '阴性'
                        then '人员结果' || coalesce(nullif(periods.person_result, ''), '缺')
                end,
                case
                    when coalesce(periods.objects_result, '') = '' then '物品结果缺'
                    when periods.objects_result <> '阴性' and not periods.is_infection_excluded
                        then '物品结果' || periods.objects_result || '，未排除感染'
                end,
                case
                    when coalesce(periods.environment_result, '') = '' then '环境结果缺'
                    when periods.environment_result <> '阴性' and not periods.is_infection_excluded
                        then '环境结果' || periods.environment_result || '，未排除感染'
                end
            ], null)
        end as lacking_negatives
    from periods
    left join tests on periods.membership_id = tests.membership_id
),

-- A control may be released at the end of its last day, so one that ends on D counts as complete.
required as (
    select
        *,
        array_remove(array[
            case
                when isolation_ends_on > {{ as_of_date() }}
                    then '未满' || isolation_days || '天，至' || {{ chinese_date('isolation_ends_on') }}
            end
        ], null) || lacking_in_isolation || lacking_negatives as missing_for_isolation,
        array_remove(array[
            case
                when ends_on > {{ as_of_date() }}
                    then '未满' || (isolation_days + monitoring_days) || '天，至' || {{ chinese_date('ends_on') }}
            end
        ], null) || lacking || lacking_negatives
        || array_remove(array[
            case when infected_on is not null then {{ chinese_date('infected_on') }} || '转为感染者，另行管理' end,
            case
                when infected_on is null and restarted_by is not null
                    then '隔离期间' || {{ chinese_date('restarted_on') }} || '再次接触，按第八条重新计算'
            end
        ], null) as missing,
        array_remove(array[
            case
                when released_on < ends_on
                    then {{ chinese_date('released_on') }} || '解除，早于' || {{ chinese_date('ends_on') }}
            end,
            case
                when isolation_released_on < isolation_ends_on
                    then {{ chinese_date('isolation_released_on') }} || '解除集中隔离，早于' || {{ chinese_date('isolation_ends_on') }}
            end
        ], null)
        || case when released_on is not null then lacking || lacking_negatives else '{}'::text[] end
        || case
            when released_on is null and isolation_released_on is not null then lacking_in_isolation || lacking_negatives
            else '{}'::text[]
        end
        || array_remove(array[
            case when last_test_on > released_on then '解除后才检测' end
        ], null) as too_early
    from judged
),

stated as (
    select
        *,
        case
            when infected_on is not null then 'infected'
            when restarted_by is not null then 'restarted'
            when released_on is not null and cardinality(too_early) > 0 then 'released_early'
            when released_on is not null then 'released'
            when isolation_ends_on >= {{ as_of_date() }} and not was_isolated_elsewhere then 'in_isolation'
            when ends_on >= {{ as_of_date() }} then 'in_monitoring'
            else 'awaiting_release'
        end as status
    from required
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        membership_id,
        person_key,
        control_code as control,
        title,
        group_code,
        department,
        community,
        grid,
        case
            when isolation_days > 0 and not was_isolated_elsewhere and isolation_ends_on >= {{ as_of_date() }} then place
            else coalesce(nullif(monitoring_place, ''), place)
        end as place,
        anchor_date,
        anchor_date as started_on,
        controlled_from,
        isolation_ends_on,
        ends_on,
        status,
        case status
            when 'infected' then '转为感染者'
            when 'restarted' then '重新计算'
            when 'released_early' then '提前解除'
            when 'released' then '已解除'
            when 'awaiting_release' then '期满待解除'
            when 'in_isolation' then case place when '集中' then '集中隔离' when '居家' then '居家隔离' else '隔离' end
            when 'in_monitoring' then coalesce(nullif(monitoring_title, ''), '健康监测')
        end as phase,
        tests_required::int as tests_required,
        tests_done::int as tests_done,
        case
            when isolation_days = 0 or was_isolated_elsewhere or infected_on is not null or restarted_by is not null then null
            else cardinality(missing_for_isolation) = 0
        end as may_leave_isolation,
        cardinality(missing) = 0 as may_be_released,
        array_to_string(missing_for_isolation, '；') as missing_for_isolation,
        array_to_string(missing, '；') as missing,
        isolation_released_on,
        released_on,
        infected_on is null and restarted_by is null and cardinality(too_early) > 0 as is_released_early,
        array_to_string(too_early, '；') as too_early,
        restarted_from,
        restarted_by,
        basis,
        basis || '：' || title || '，自' || {{ chinese_date('anchor_date') }} || '起'
        || case when isolation_days > 0 then '隔离' || isolation_days || '天' else '' end
        || case when isolation_days > 0 and monitoring_days > 0 then '、' else '' end
        || case when monitoring_days > 0 then coalesce(nullif(monitoring_title, ''), '健康监测') || monitoring_days || '天' else '' end
        || '，至' || {{ chinese_date('ends_on') }} || '；'
        || case status
            when 'infected' then {{ chinese_date('infected_on') }} || '转为感染者，另行管理'
            when 'restarted' then '隔离期间' || {{ chinese_date('restarted_on') }} || '再次接触，按第八条重新计算'
            when 'released_early' then '提前解除：' || array_to_string(too_early, '；')
            when 'released' then {{ chinese_date('released_on') }} || '已解除'
            else
                case
                    when cardinality(missing) = 0 then '条件齐备，可以解除'
                    else '解除尚缺：' || array_to_string(missing, '；')
                end
        end
        || case when restarted_from is not null then '（隔离期间再次接触，按第八条重新计算）' else '' end as explanation
    from stated
)

select * from final
