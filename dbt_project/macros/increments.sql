{#- The two models that are kept from build to build and take in only what changed (docs/decisions/increments-of-samples.md). -#}

{% macro kept() -%}
    {#- The materialization of a model that is kept from build to build; the target dev makes it anew each time. -#}
    {{ 'incremental' if target.name == 'warehouse' else 'table' }}
{%- endmacro %}

{% macro goes_on() -%}
    {#- It is true where a kept model takes in only what changed. No other target asks the database for it, so that a whole
        build's SQL is known without one. -#}
    {{ return(target.name == 'warehouse' and is_incremental()) }}
{%- endmacro %}

{% macro changed_files(changes) -%}
    {#- The query returns the files of which samples came. -#}
    select distinct came.file_id from {{ changes }} as came where came.came
{%- endmacro %}

{% macro forget_changed_samples() -%}
    {#- The first statement deletes samples that were replaced or went, in their old form; what came again is merged. The second
        deletes a sample that a later one under the other document of a corrected person replaces. -#}
    {% if goes_on() -%}
    delete from {{ this }} as kept using {{ ref('int_sample__changes') }} as changed
    where
        kept.person_key = changed.person_key
        and kept.sample_date = changed.sample_date
        and kept.sample_key = changed.sample_key
        and not changed.came;
    delete from {{ this }} as kept using {{ ref('int_sample__repeated') }} as repeated
    where
        kept.person_key = repeated.person_key
        and kept.sample_date = repeated.sample_date
        and kept.sample_key = repeated.sample_key
        and repeated.sample_date <> repeated.last_sample_date
    {%- endif %}
{%- endmacro %}

{% macro note_increment() -%}
    {#- It notes, in the transaction of the model's rows, the last change that a kept model has taken in. -#}
    {% if target.name == 'warehouse' -%}
    insert into intermediate.increment_progress (model, definition, change_id)
    select '{{ this.schema }}.{{ this.identifier }}', '{{ project_digest() }}', through_change_id from {{ ref('int_sample__bounds') }}
    on conflict (model) do update set definition = excluded.definition, change_id = excluded.change_id
    {%- endif %}
{%- endmacro %}

{% macro project_digest() -%}
    {{ env_var('YINGJIAN_PROJECT_DIGEST', '') }}
{%- endmacro %}

{% macro vacuum() -%}
    {#- An index-only scan needs a vacuumed table; autovacuum comes too late. -#}
    vacuum {{ this }}
{%- endmacro %}
