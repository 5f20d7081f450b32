-- Article 28: the full round of screening that a zone needs from its day 7 on. One row per zone that needs one.
with clocks as (
    select
        *,
        clock_start + required_clear_days as round_from_date
    from {{ ref('int_zone__clocks') }}
    where needs_full_round
),

-- Population: everyone who lives there and is not a case.
residents as (select * from {{ ref('int_zone__residents') }} where not is_case),

samples as (select * from {{ ref('int_sample__counting') }} where result in ('阴性', '阳性')),

-- Evidence: each resident's first sample with a known result on or after that day; of two at one time the
-- positive one.
evidence as (
    select distinct on (clocks.zone_id, residents.person_key)
        clocks.zone_id,
        residents.person_key,
        samples.sample_date,
        samples.result
    from clocks
    inner join residents on clocks.zone_id = residents.zone_id
    left join samples
        on
            residents.person_key = samples.person_key
            and samples.sampled_at >= clocks.round_from_date
    order by clocks.zone_id, residents.person_key, samples.sampled_at, (samples.result = '阳性') desc
),

-- Result: complete on the latest of those first dates, when each was negative; without residents on day 7.
final as (
    select
        clocks.zone_id,
        clocks.round_from_date,
        count(*) filter (where evidence.result = '阴性') as round_sampled,
        count(*) filter (where evidence.person_key is not null and evidence.result is null) as round_outstanding,
        count(*) filter (where evidence.result = '阳性') as round_positive,
        case
            when bool_and(coalesce(evidence.result, '待出') = '阴性' or evidence.person_key is null)
                then greatest(clocks.round_from_date, max(evidence.sample_date))
        end as round_complete_on
    from clocks
    left join evidence on clocks.zone_id = evidence.zone_id
    group by clocks.zone_id, clocks.round_from_date
)

select * from final
