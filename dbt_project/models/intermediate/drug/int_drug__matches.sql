-- Article 19: each drug as the pharmacies write it, found in the catalogue by name and dosage form; the longest name wins.
with purchases as (select * from {{ ref('stg_platform__pharmacy_purchases') }}),

names as (select * from {{ ref('drug_catalogue') }}),

forms as (select * from {{ ref('drug_form') }}),

-- Thousands of purchases hold the same few texts, so that these are matched and not the purchases.
drugs as (
    select distinct
        drug,
        {{ comparable_text('drug') }} as drug_text
    from purchases
    where drug is not null
),

named as (
    select distinct on (drugs.drug)
        drugs.drug,
        drugs.drug_text,
        names.ingredient,
        names.category
    from drugs
    left join names on strpos(drugs.drug_text, names.name) > 0
    order by drugs.drug asc, length(names.name) desc nulls last, names.name collate "C" asc
),

formed as (
    select distinct on (named.drug)
        named.*,
        forms.form,
        coalesce(forms.is_monitored, true) as is_monitored
    from named
    left join forms
        on
            strpos(named.drug_text, forms.form) > 0
            and (forms.category is null or forms.category = named.category)
    order by named.drug asc, length(forms.form) desc nulls last, forms.category is null, forms.form collate "C" asc
),

final as (
    select
        drug,
        ingredient,
        category,
        form,
        is_monitored
    from formed
)

select * from final
