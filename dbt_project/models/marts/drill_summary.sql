-- Articles 9 and 34 to 38: one row per kind of training or drill and article shows how often it was held, when last, and
-- whether the next one is overdue.
{{ config(indexes=[{'columns': ['drill_type', 'article'], 'unique': true}]) }}

with required as (
    select * from {{ ref('int_policy__drills') }}
    where {{ as_of_date() }} between effective_from and effective_to
),

held as (
    select
        drill_type,
        {{ article_number('article') }} as article,
        held_on,
        attendance
    from {{ ref('stg_platform__drills') }}
    where held_on <= {{ as_of_date() }}
),

counted as (
    select
        drill_type,
        article,
        max(held_on) as last_on,
        count(*)::int as held,
        least(coalesce(sum(attendance), 0), 2147483647)::int as attendance
    from held
    group by drill_type, article
),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        coalesce(required.drill_type, counted.drill_type) as drill_type,
        coalesce(required.article, counted.article) as article,
        required.article is not null as is_required,
        required.every_days,
        coalesce(counted.held, 0) as held,
        coalesce(counted.attendance, 0) as attendance,
        counted.last_on,
        ({{ as_of_date() }} - counted.last_on) as days_since,
        counted.last_on + required.every_days as next_due_on,
        case
            when required.article is null then 'not_required'
            when counted.last_on is null then 'never'
            when counted.last_on + required.every_days <= {{ as_of_date() }} then 'overdue'
            else 'held'
        end as status
    from required
    full outer join counted on required.drill_type = counted.drill_type and required.article = counted.article
)

select * from final
