-- This dimension has one row per article of the plan, with the units that answer for it under the edition in force on D.
with articles as (select * from {{ ref('article_title') }}),

responsibilities as (select * from {{ ref('responsibility') }}),

units as (
    select
        provision,
        string_agg(unit, '、' order by ordinal) as units
    from responsibilities
    group by provision
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        articles.article,
        articles.title,
        coalesce(units.units, '') as responsible_units,
        articles.article as sort_order
    from articles
    left join units on articles.article::text = units.provision
)

select * from final
