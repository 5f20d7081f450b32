-- Answers come from the feed's files and from the portal.
with sent as (
    select
        disposition_key,
        list_name,
        item_key,
        result,
        nullif(handled_by, '') as handled_by,
        handled_at,
        nullif(remark, '') as remark,
        updated_at,
        file_id,
        line
    from {{ source('platform', 'dispositions') }}
),

given as (
    select
        'portal:' || disposition_id as disposition_key,
        list as list_name,
        item_id as item_key,
        result,
        handled_by,
        handled_at,
        nullif(remark, '') as remark,
        handled_at as updated_at,
        cast(null as bigint) as file_id,
        cast(null as int) as line
    from {{ source('portal', 'disposition') }}
),

final as (
    select * from sent
    union all
    select * from given
)

select * from final
