-- Articles 25 and 26: one row per contact shows whether the person was isolated within the allowed hours and, if not, what is
-- missing.
{{ config(indexes=[{'columns': ['contact_key'], 'unique': true}, {'columns': ['person_key']}]) }}

with clocks as (select * from {{ ref('int_contact__clocks') }}),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        contact_key,
        person_key,
        category,
        community,
        grid,
        judged_at,
        deadline,
        isolated_at,
        mode,
        -- A person who was isolated before being judged a contact waited zero hours.
        case
            when isolated_at is not null
                then round(extract(epoch from greatest(isolated_at, judged_at) - judged_at) / 3600, 2)::double precision
        end as hours,
        case when status <> 'running' then status = 'in_time' end as within_8h,
        is_infected,
        status,
        '第二十五条、第二十六条：' || category || '应在判定后' || allowed_hours || '小时内'
        || case clock_place when '集中' then '集中隔离' else '居家或集中隔离' end || '；'
        || {{ chinese_time('judged_at') }} || '判定，'
        || case
            when isolated_at is not null
                then {{ chinese_time('isolated_at') }} || mode || '隔离，' || case status when 'late' then '超时' else '按时' end
            else
                case
                    when recorded_isolated_at is not null and mode is null
                        then {{ chinese_time('recorded_isolated_at') }} || '隔离，缺隔离方式'
                    when recorded_isolated_at is not null
                        then {{ chinese_time('recorded_isolated_at') }} || mode || '隔离，缺集中隔离'
                    when transferred_at is not null
                        then {{ chinese_time('transferred_at') }} || '转运，缺隔离到位记录'
                    else '缺隔离记录'
                end
                || '，应于' || {{ chinese_time('deadline') }} || '前到位'
                || case status when 'overdue' then '，已超时' else '' end
        end
        || case when is_infected then '（已确认感染）' else '' end as explanation
    from clocks
)

select * from final
