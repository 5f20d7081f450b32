-- Article 19: one row per drug text that pharmacies write, matched to the catalogue by name and dosage form; the longest name
-- wins.
with purchases as (select * from {{ ref('stg_platform__pharmacy_purchases') }}),

names as (select * from {{ ref('drug_catalogue') }}),

forms as (select * from {{ ref('drug_form') }}),

-- Thousands of purchases share the same few texts, so only distinct texts are matched.
drugs as (
    select distinct
        drug,
        {{ comparable_text('drug') }} as drug_text
    from purchases
    where drug is not null
),

found_names as (
    select
        drugs.drug,
        drugs.drug_text,
        names.name,
        names.ingredient,
        names.category
    from drugs
    left join names on position(names.name in drugs.drug_text) > 0
),

named as (
    select *
    from (
        select distinct on (drug) * from found_names
        order by drug, length(name) desc nulls last, name collate "C"
    ) as longest
),

found_forms as (
    select
        named.drug,
        named.ingredient,
        named.category,
        forms.form,
        forms.category as form_category,
        coalesce(forms.is_monitored, true) as is_monitored
    from named
    left join forms
        on
            position(forms.form in named.drug_text) > 0
            and (forms.category is null or named.category = forms.category)
),

final as (
    select
        drug,
        ingredient,
        category,
        form,
        is_monitored
    from (
        select distinct on (drug) * from found_forms
        order by drug, length(form) desc nulls last, form_category is null, form collate "C"
    ) as longest
)

select * from final
