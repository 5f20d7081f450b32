-- A person's distinct dates with a counting sample, newest first: the small state that obligations are computed from.
-- Several samples on one date count once. Kept from build to build; a person without any has an empty list at most.
{{ config(
    materialized=kept(),
    unique_key='person_key',
    indexes=[{'columns': ['person_key'], 'unique': true}],
) }}
-- depends_on: {{ ref('int_sample__bounds') }}, {{ ref('int_sample__changes') }}, {{ ref('int_sample__by_day') }}

{% if increment_since() is none %}
select
    person_key,
    {{ newest_first('sample_date') }} as sample_dates
from {{ ref('int_sample__valid') }}
group by person_key
{% else %}
{{ dates_of_changed_persons(this) }}
{% endif %}
