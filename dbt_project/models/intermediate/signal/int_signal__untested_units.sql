-- Section 3 (四), article 18: one row per unit and community whose regularly tested people had no test for days. Only members
-- who were there on all of these days count.
with allowed as (
    select
        {{ parameter('untested_unit_days', as_of_date()) }} as untested_days,
        {{ parameter('untested_unit_persons', as_of_date()) }} as least
),

samples as (
    select
        person_key,
        sample_dates[1] as last_sample_date
    from {{ ref('int_sample__person_dates') }}
),

-- Exempt and infected people are not tested, so they are no signal.
members as (
    select
        memberships.unit,
        memberships.community,
        memberships.person_key,
        min(memberships.start_date) as start_date,
        min(memberships.grid) as grid,
        max(memberships.grid) as other_grid
    from {{ ref('int_membership__unified') }} as memberships
    cross join allowed
    where
        memberships.rule_family = 'rolling'
        and memberships.unit <> ''
        and coalesce(memberships.end_date, 'infinity'::date) >= {{ as_of_date() }}
        and memberships.start_date <= {{ as_of_date() }} - allowed.untested_days + 1
        and not exists (
            select 1 from {{ ref('int_lift__intervals') }} as lift
            where
                lift.person_key = memberships.person_key
                and (lift.group_code is null or lift.group_code = memberships.group_code)
                and {{ as_of_date() }} between lift.from_date and lift.to_date
        )
    group by memberships.unit, memberships.community, memberships.person_key
),

-- The days begin after the last sample, but not before the unit had enough of these members.
units as (
    select
        members.unit,
        members.community,
        case when min(members.grid) = max(members.other_grid) then min(members.grid) else '' end as grid,
        count(*)::int as persons,
        greatest(
            max(samples.last_sample_date) + 1,
            (array_agg(members.start_date order by members.start_date))[allowed.least]
        ) as first_on
    from members
    cross join allowed
    left join samples on members.person_key = samples.person_key
    group by members.unit, members.community, allowed.least
),

final as (
    select
        units.unit,
        units.community,
        units.grid,
        units.persons,
        units.first_on,
        ({{ as_of_date() }} - units.first_on) + 1 as days,
        allowed.untested_days
    from units
    cross join allowed
    where
        units.persons >= allowed.least
        and ({{ as_of_date() }} - units.first_on) + 1 >= allowed.untested_days
)

select * from final
