-- Article 21: one row per screening round and person in its scope who has not been sampled, so that nobody is left out.
{{ config(indexes=[{'columns': ['round_id', 'person_key'], 'unique': true}]) }}

with rounds as (select * from {{ ref('int_screening__rounds') }}),

persons as (select * from {{ ref('int_screening__persons') }} where is_outstanding),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        persons.round_id,
        persons.person_key,
        persons.community,
        persons.grid,
        persons.building,
        rounds.deadline,
        rounds.deadline < {{ as_of_date() }} + 1 as is_overdue,
        persons.is_infected
    from persons
    inner join rounds on persons.round_id = rounds.round_id
)

select * from final
