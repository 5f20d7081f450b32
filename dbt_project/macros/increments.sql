{#- These macros serve the two incremental models of samples (docs/decisions/increments-of-samples.md). -#}

{% macro kept() -%}
    {#- It returns the materialization: incremental on the target warehouse, rebuilt every time on any other. -#}
    {{ 'incremental' if target.name == 'warehouse' else 'table' }}
{%- endmacro %}

{% macro goes_on() -%}
    {#- It is true when an incremental model processes only changes. Other targets do not query the database for this, so
        that a full build compiles without one. -#}
    {{ return(target.name == 'warehouse' and is_incremental()) }}
{%- endmacro %}

{% macro changed_files(changes) -%}
    {#- It selects the files whose samples were added. -#}
    select distinct came.file_id from {{ changes }} as came where came.came
{%- endmacro %}

{% macro forget_changed_samples() -%}
    {#- The first statement deletes old versions of samples that were replaced or deleted; new versions are merged later.
        The second deletes a sample that a later version under the corrected person's other document moves to another day. -#}
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
    {#- It records the last change that the incremental model has processed, in the same transaction as the model's rows. -#}
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
