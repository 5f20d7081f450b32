-- This build is compared with one row: the newest publication of the latest business date up to D.
select
    publication_id,
    as_of_date
from {{ ref('stg_published__publications') }}
where as_of_date <= {{ as_of_date() }}
order by as_of_date desc, publication_id desc
limit 1
