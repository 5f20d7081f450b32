-- What each run took, kept when Airflow's own record of it is long gone.
create table operations.task_run (
    dag_id text not null,
    run_id text not null,
    task_id text not null,
    try_number int not null,
    business_date date,
    state text not null,
    started_at timestamptz,
    ended_at timestamptz not null,
    seconds double precision,
    primary key (dag_id, run_id, task_id, try_number)
);
create index task_run_by_end on operations.task_run (ended_at);

comment on table operations.task_run is 'One row per try of a task of Airflow that has ended.';
comment on column operations.task_run.dag_id is 'The DAG.';
comment on column operations.task_run.run_id is 'Its run.';
comment on column operations.task_run.task_id is 'The step.';
comment on column operations.task_run.try_number is '1 for the first try.';
comment on column operations.task_run.business_date is 'Business date of the run: its parameter date, else the day of its data interval; empty when it has none.';
comment on column operations.task_run.state is 'success, failed, skipped, upstream_failed or removed.';
comment on column operations.task_run.started_at is 'When it began; empty when it never did.';
comment on column operations.task_run.ended_at is 'When it ended.';
comment on column operations.task_run.seconds is 'How long it took, with what it waited while it was deferred.';

create table operations.model_run (
    run_key text not null,
    as_of_date date not null,
    model text not null,
    state text not null,
    seconds double precision,
    rows bigint,
    ended_at timestamptz not null default clock_timestamp(),
    primary key (run_key, model)
);
create index model_run_by_model on operations.model_run (model, as_of_date);

comment on table operations.model_run is 'One row per build and model of dbt.';
comment on column operations.model_run.run_key is 'The build (publishing.build.run_key).';
comment on column operations.model_run.as_of_date is 'Business date that was built.';
comment on column operations.model_run.model is 'Name of the model.';
comment on column operations.model_run.state is 'success, error or skipped.';
comment on column operations.model_run.seconds is 'How long dbt took for it.';
comment on column operations.model_run.rows is 'Rows that it made; empty for a view.';
comment on column operations.model_run.ended_at is 'When it was done.';
