-- Article 28: the full round of screening that a zone needs from its day 7 on. One row per zone and moment that needs one.
with clocks as (
    select
        zone_id,
        moment,
        clock_start + required_clear_days as round_from_date
    from {{ ref('int_zone__clocks') }}
    where needs_full_round
),

persons as (select * from {{ ref('int_zone__round_persons') }}),

-- Complete on the latest of the first results, when each was negative; without residents on day 7.
final as (
    select
        clocks.zone_id,
        clocks.moment,
        clocks.round_from_date,
        count(*) filter (where persons.result in ('阴性', '阳性')) as round_sampled,
        count(*) filter (where persons.person_key is not null and coalesce(persons.result, '待出') = '待出')
            as round_outstanding,
        count(*) filter (where persons.result = '阳性') as round_positive,
        case
            when bool_and(coalesce(persons.result, '待出') = '阴性' or persons.person_key is null)
                then greatest(clocks.round_from_date, max(persons.sample_date))
        end as round_complete_on
    from clocks
    left join persons on clocks.zone_id = persons.zone_id and clocks.moment = persons.moment
    group by clocks.zone_id, clocks.moment, clocks.round_from_date
)

select * from final
