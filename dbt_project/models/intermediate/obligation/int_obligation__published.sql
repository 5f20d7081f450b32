-- The obligations of the publication before. A table, so that the comparison is planned for the rows of one publication.
select * from {{ ref('stg_published__obligations') }}
where publication_id = (select before.publication_id from {{ ref('int_publication__before') }} as before)
