-- This mart counts the delivery attempts of the seven days before D by publication, report, channel, audience, state and error,
-- so that officials see the next morning which report did not arrive.
with attempts as (select * from {{ ref('stg_delivery__attempts') }}),

publications as (
    select * from {{ ref('stg_published__publications') }}
    where as_of_date < {{ as_of_date() }} and as_of_date >= {{ as_of_date() }} - 7
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        publications.as_of_date as delivered_date,
        attempts.publication_id as delivered_publication_id,
        attempts.what,
        attempts.channel,
        attempts.audience_kind,
        attempts.audience,
        attempts.state,
        coalesce(attempts.error, '') as error,
        count(*)::int as attempts
    from attempts
    inner join publications on attempts.publication_id = publications.publication_id
    group by
        publications.as_of_date, attempts.publication_id, attempts.what, attempts.channel, attempts.audience_kind,
        attempts.audience, attempts.state, attempts.error
)

select * from final
