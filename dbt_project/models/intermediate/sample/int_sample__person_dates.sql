-- The distinct dates up to D on which a person gave a counting sample, newest first, as a list.
{{ config(materialized='view') }}

select
    person_key,
    case
        when sample_dates[1] <= {{ as_of_date() }} then sample_dates
        else array(
            select dates.sample_date from unnest(sample_dates) as dates (sample_date)
            where dates.sample_date <= {{ as_of_date() }}
            order by dates.sample_date desc
        )
    end as sample_dates
from {{ ref('int_sample__dates') }}
