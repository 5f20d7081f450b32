-- One row per obligation of the previous publication. It is a table, so that PostgreSQL plans the comparison with the
-- statistics of one publication.
select * from {{ ref('stg_published__obligations') }}
where publication_id = (select before.publication_id from {{ ref('int_publication__before') }} as before)
