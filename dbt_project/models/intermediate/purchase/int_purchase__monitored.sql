-- Article 19: one row per purchase up to D has its match in the drug catalogue and the buyer's home. The category that the
-- pharmacy registered counts; drug_mismatch says where the catalogue disagrees.
{{ config(indexes=[{'columns': ['purchase_key'], 'unique': true}, {'columns': ['person_key']}]) }}

with purchases as (
    select * from {{ ref('stg_platform__pharmacy_purchases') }}
    where purchased_at < {{ as_of_date() }} + 1
),

-- Spellings that are equal after folding are one pharmacy, shown under the shortest of them.
pharmacies as (
    {{ one_spelling('purchases', 'pharmacy') }}
),

drugs as (select * from {{ ref('int_drug__matches') }}),

residents as (select * from {{ ref('stg_platform__residents') }}),

final as (
    select
        purchases.purchase_key,
        purchases.person_key,
        coalesce(pharmacies.name, purchases.pharmacy, '') as pharmacy,
        coalesce(nullif(residents.community, ''), purchases.community, '') as community,
        coalesce(case when residents.community <> '' then residents.grid end, '') as grid,
        coalesce(purchases.drug, '') as drug,
        purchases.drug_category as category,
        drugs.ingredient,
        drugs.category as catalogue_category,
        drugs.form,
        coalesce(drugs.is_monitored, true) as is_monitored,
        case
            when drugs.ingredient is null then '药品不在目录中'
            when not drugs.is_monitored then '剂型（' || drugs.form || '）不在监测范围'
            when drugs.category <> purchases.drug_category
                then '登记为' || purchases.drug_category || '，目录为' || drugs.category
        end as drug_mismatch,
        purchases.purchased_at
    from purchases
    left join pharmacies on purchases.pharmacy = pharmacies.spelling
    left join drugs on purchases.drug = drugs.drug
    left join residents on purchases.person_key = residents.person_key
)

select * from final
