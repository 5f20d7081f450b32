-- Article 28: one row per zone and moment that needs a full round of screening from its day 7 on, with the counts of the round.
with clocks as (
    select
        zone_id,
        moment,
        clock_start + required_clear_days as round_from_date
    from {{ ref('int_zone__clocks') }}
    where needs_full_round
),

persons as (select * from {{ ref('int_zone__round_persons') }}),

-- The round is complete on the latest of the first results if all are negative; without residents, on day 7.
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
