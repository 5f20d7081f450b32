-- One row per figure and place has the figure's value on D for the town, each community, each department, and each pair of both
-- that has data. Places without data count 0, so that time series have no gaps.
{{ config(indexes=[{'columns': ['as_of_date', 'indicator_code']}]) }}

with definitions as (select * from {{ ref('indicator_definition') }}),

communities as (select community from {{ ref('dim_community') }}),

departments as (select department from {{ ref('dim_department') }}),

counted as (
    select * from {{ ref('indicators_of_tests') }}
    union all
    select * from {{ ref('indicators_of_persons') }}
    union all
    select * from {{ ref('indicators_of_the_town') }}
    union all
    select
        indicator_code,
        null as community,
        null as department,
        null as counted_once,
        0 as part,
        0 as whole
    from definitions
    union all
    select
        definitions.indicator_code,
        communities.community,
        null as department,
        null as counted_once,
        0 as part,
        0 as whole
    from definitions
    cross join communities
    where definitions.by_community
    union all
    select
        definitions.indicator_code,
        null as community,
        departments.department,
        null as counted_once,
        0 as part,
        0 as whole
    from definitions
    cross join departments
    where definitions.by_department
),

-- Every row is counted both in its places and in the total. Summing places would double count: a zone can lie in several
-- communities, and a group can have several departments.
spread as (
    select
        counted.indicator_code,
        communities.community,
        departments.department,
        counted.counted_once,
        counted.part,
        counted.whole
    from counted
    cross join lateral {{ each_and_all('counted.community') }} as communities (community)
    cross join lateral {{ each_and_all('counted.department') }} as departments (department)
),

summed as (
    select
        indicator_code,
        community,
        department,
        coalesce(sum(part) filter (where counted_once is null), 0) + count(distinct counted_once) as part,
        coalesce(sum(whole), 0) as whole
    from spread
    group by indicator_code, community, department
),

measured as (
    select
        summed.*,
        definitions.is_share,
        not definitions.by_community and not definitions.by_department as is_town_wide,
        summed.part::numeric / nullif(summed.whole, 0) as share,
        power(10::numeric, definitions.decimals + 2) as scale
    from summed
    inner join definitions on summed.indicator_code = definitions.indicator_code
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        indicator_code,
        community,
        department,
        part::bigint as part,
        case when is_share then whole::bigint end as whole,
        case when is_share then share else part end::double precision as value,
        case
            when not is_share then part
            -- 100 % is shown only if nothing is missing; a share just below it is not rounded up to it.
            when part < whole then least(floor(share * scale + 0.5), scale - 1) / scale
            else floor(share * scale + 0.5) / scale
        end::double precision as value_shown,
        is_town_wide
    from measured
)

select * from final
