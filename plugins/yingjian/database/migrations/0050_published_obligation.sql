-- dbt compares each build with the publication before, also before there is one. Publishing adds the partitions, the owner
-- and the policies, and every column that a newer version of the mart has.
create table if not exists published.obligation (
    publication_id bigint not null,
    as_of_date date,
    obligation_id text,
    membership_id text,
    person_key text,
    group_code text,
    group_name text,
    rule_family text,
    basis text,
    rule_text text,
    slot integer,
    unit text,
    department text,
    community text,
    grid text,
    due_date date,
    status text,
    days_overdue integer,
    satisfied_on date,
    last_sample_date date,
    needs_review boolean,
    explanation text
) partition by list (publication_id);
