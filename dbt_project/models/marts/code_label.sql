-- The Chinese title of each code that a column of a mart may hold.
with titles as (select * from {{ ref('code_title') }}),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        table_name,
        column_name,
        code,
        title,
        sort_order
    from titles
)

select * from final
