-- Article 23: one row per period of emergency (急) or of normal times (平) up to the end of D. An emergency begins with a local
-- infection or a declaration, whichever comes first, and lasts until it is declared over; further infections and declarations
-- in between belong to it.
with declarations as (
    select * from {{ ref('stg_platform__declarations') }}
    where started_at < {{ as_of_date() }} + 1
),

-- An infection is dated by its report time or, without one, by the day of its sample.
cases as (
    select
        case_key,
        coalesce(reported_at, sample_date::timestamp) as found_at
    from {{ ref('stg_platform__cases') }}
    where source = '本土'
),

starts as (
    select
        started_at as from_at,
        'declaration' as trigger_kind,
        notice_key as trigger_key,
        communities,
        grids,
        case when ended_at > started_at and ended_at < {{ as_of_date() }} + 1 then ended_at end as ended_at
    from declarations
    where declaration_type = '疫情启动'
    union all
    select
        found_at,
        'case',
        case_key,
        '{}'::text[],
        '{}'::text[],
        null
    from cases
    where found_at < {{ as_of_date() }} + 1
),

ends as (select * from declarations where declaration_type = '疫情结束'),

-- An end declared for the whole town ends everything; an end for a part ends only what was declared for that part.
bounded as (
    select
        starts.from_at,
        starts.trigger_kind,
        starts.trigger_key,
        least(starts.ended_at, min(ends.started_at)) as to_at
    from starts
    left join ends
        on
            starts.from_at < ends.started_at
            and (
                cardinality(ends.communities) + cardinality(ends.grids) = 0
                or (
                    ends.communities @> starts.communities and ends.communities <@ starts.communities
                    and ends.grids @> starts.grids and ends.grids <@ starts.grids
                )
            )
    group by starts.from_at, starts.trigger_kind, starts.trigger_key, starts.ended_at
),

reached as (
    select
        *,
        max(coalesce(to_at, 'infinity'::timestamp)) over (
            order by from_at, trigger_kind, trigger_key rows between unbounded preceding and 1 preceding
        ) as reached_at
    from bounded
),

islands as (
    select
        *,
        count(*) filter (where from_at > coalesce(reached_at, '-infinity'::timestamp))
            over (order by from_at, trigger_kind, trigger_key) as island
    from reached
),

emergencies as (
    select
        min(from_at) as from_at,
        nullif(max(coalesce(to_at, 'infinity'::timestamp)), 'infinity'::timestamp) as to_at,
        (array_agg(trigger_kind order by from_at, trigger_kind, trigger_key))[1] as trigger_kind,
        (array_agg(trigger_key order by from_at, trigger_kind, trigger_key))[1] as trigger_key
    from islands
    group by island
),

followed as (
    select
        *,
        lead(from_at) over (order by from_at) as next_from_at
    from emergencies
),

-- Normal times precede the first emergency and follow each one that is over.
peace as (
    select
        null::timestamp as from_at,
        min(from_at) as to_at,
        null::text as trigger_kind,
        null::text as trigger_key
    from emergencies
    union all
    select
        followed.to_at,
        followed.next_from_at,
        'end',
        (select min(ends.notice_key) from ends where ends.started_at = followed.to_at)
    from followed
    where followed.to_at is not null
),

periods as (
    select
        '急' as state,
        from_at,
        to_at,
        trigger_kind,
        trigger_key
    from emergencies
    union all
    select
        '平',
        from_at,
        to_at,
        trigger_kind,
        trigger_key
    from peace
),

final as (
    select
        row_number() over (order by from_at nulls first)::int as period_number,
        state,
        from_at,
        to_at,
        trigger_kind,
        trigger_key
    from periods
)

select * from final
