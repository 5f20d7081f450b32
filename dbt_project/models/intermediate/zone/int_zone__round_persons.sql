-- Article 28: one row per zone, moment and resident who is not a case, if the zone needs a full round from its day 7 on. It has
-- the first sample with a known result on or after that day, up to the day on which the zone is judged.

with clocks as (
    select
        zone_id,
        moment,
        judged_on,
        clock_start + required_clear_days as round_from_date
    from {{ ref('int_zone__clocks') }}
    where needs_full_round
),

residents as (select * from {{ ref('int_zone__residents') }} where not is_case),

samples as (
    select * from {{ ref('int_sample__counting') }}
    where sample_date >= (select min(clocks.round_from_date) from clocks)
),

sampled as (
    select
        clocks.zone_id,
        clocks.moment,
        residents.person_key,
        clocks.round_from_date,
        samples.sampled_at,
        samples.sample_date,
        -- 阴性, 阳性, 待出 (sampled, no result yet), or null: not sampled.
        samples.result
    from clocks
    inner join residents on clocks.zone_id = residents.zone_id and clocks.moment = residents.moment
    left join samples
        on
            residents.person_key = samples.person_key
            and clocks.round_from_date <= samples.sampled_at
            and clocks.judged_on >= samples.sample_date
),

-- The positive one of two samples at the same time counts as the first.
final as (
    select
        zone_id,
        moment,
        person_key,
        round_from_date,
        sample_date,
        result
    from (
        select distinct on (zone_id, moment, person_key) * from sampled
        order by zone_id, moment, person_key, result not in ('阴性', '阳性'), sampled_at, result = '阳性' desc
    ) as earliest
)

select * from final
