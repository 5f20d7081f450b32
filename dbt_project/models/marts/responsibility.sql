-- This mart lists the units that answer for each provision of the plan (责任单位) and for each basis of an obligation under
-- the edition in force on D. The report's actions name them.
with responsibilities as (
    select * from {{ ref('int_policy__responsibilities') }}
    where {{ as_of_date() }} between effective_from and effective_to
),

-- An obligation cites the annex row or the words of an edition. Its units are those of the article behind it; an annex row
-- that no article names is tested by article 18.
cited as (
    select distinct
        basis,
        coalesce(article, 18)::text as provision
    from {{ ref('int_policy__rules') }}
    where effective_from <= {{ as_of_date() }}
),

units_of_rules as (
    select
        cited.basis,
        responsibilities.unit,
        min(cited.provision) as provision,
        min(responsibilities.ordinal) as ordinal
    from cited
    inner join responsibilities on cited.provision = responsibilities.provision
    group by cited.basis, responsibilities.unit
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        provision,
        ordinal,
        unit,
        basis
    from responsibilities
    union all
    select
        {{ as_of_date() }} as as_of_date,
        basis as provision,
        row_number() over (partition by basis order by provision, ordinal, unit collate "C")::int as ordinal,
        unit,
        basis
    from units_of_rules
)

select * from final
