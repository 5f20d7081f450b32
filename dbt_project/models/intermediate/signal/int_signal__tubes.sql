-- Section 3 (四), article 24: one row per positive mixed tube and community of its members, if enough tubes of the community
-- were positive in the window that ends with it.
with allowed as (
    select
        {{ parameter('signal_window_days', as_of_date()) }} as window_days,
        {{ parameter('positive_tubes', as_of_date()) }} as least
),

members as (select * from {{ ref('int_pool__members') }}),

persons as (select * from {{ ref('int_population__persons') }}),

tubes as (
    select
        members.tube_no,
        coalesce(persons.community, '') as community,
        case when count(distinct coalesce(persons.grid, '')) = 1 then min(coalesce(persons.grid, '')) else '' end as grid,
        min(members.result_at)::date as told_on,
        count(distinct members.person_key)::int as persons
    from members
    left join persons on members.person_key = persons.person_key
    group by members.tube_no, coalesce(persons.community, '')
),

counted as (
    select
        tubes.tube_no,
        tubes.community,
        tubes.grid,
        tubes.told_on,
        tubes.persons,
        allowed.least,
        count(*)::int as tubes
    from tubes
    cross join allowed
    inner join tubes as earlier
        on
            tubes.community = earlier.community
            and earlier.told_on between tubes.told_on - allowed.window_days + 1 and tubes.told_on
    group by tubes.tube_no, tubes.community, tubes.grid, tubes.told_on, tubes.persons, allowed.least
),

final as (
    select
        tube_no,
        community,
        grid,
        told_on,
        persons,
        tubes
    from counted
    where tubes >= least
)

select * from final
