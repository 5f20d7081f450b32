-- This mart has one row per provision of the plan (or basis of an obligation) and responsible unit (责任单位), under the edition in
-- force on D. The report's actions name these units.
with responsibilities as (
    select * from {{ ref('int_policy__responsibilities') }}
    where {{ as_of_date() }} between effective_from and effective_to
),

-- The basis of an obligation is an annex row or the wording of an edition; the units of the article behind it answer for it.
-- Annex rows that no article names fall under article 18.
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
