-- Who answers for each provision of the plan (责任单位) under the edition in force on D: whom the report's actions name.
with responsibilities as (
    select * from {{ ref('int_policy__responsibilities') }}
    where {{ as_of_date() }} between effective_from and effective_to
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        provision,
        ordinal,
        unit,
        basis
    from responsibilities
)

select * from final
