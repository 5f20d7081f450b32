-- This mart has one row per coded column of a mart and code, with the Chinese title of the code.
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
