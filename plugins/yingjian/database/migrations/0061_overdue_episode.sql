-- dbt carries the runs of being overdue on from the publication before, also before there is one. Publishing adds the
-- partitions, the owner and the policies.
create table if not exists published.overdue_episode (
    publication_id bigint not null,
    as_of_date date,
    obligation_id text,
    group_code text,
    unit_key text,
    department text,
    community text,
    grid text,
    from_date date,
    to_date date,
    days integer,
    cured_by text
) partition by list (publication_id);
