-- A single row has the moment at which the newest business date before D was first published; it is null if there is none. What
-- landing rejected later than that belongs to D.
with publications as (select * from {{ ref('stg_published__publications') }} where as_of_date < {{ as_of_date() }})

select min(published_at) as published_at
from publications
where as_of_date = (select max(newest.as_of_date) from publications as newest)
