-- These views show BI how the pipeline runs. They name no person: an alert's subject and facts stay with the data team.
do $$
declare
    wanted record;
    item record;
begin
    for wanted in
        select * from (values
            (
                'step_run', 'One row per try of a step of a run that has ended.',
                $view$
                select
                    dag_id, run_id, task_id, try_number, business_date as as_of_date, state, started_at, ended_at,
                    seconds / 60 as minutes
                from operations.task_run
                $view$,
                array[
                    'dag_id', '流程: The DAG of Airflow.', 'run_id', '运行: Its run.', 'task_id', '步骤: The step.',
                    'try_number', '第几次: 1 for the first try.',
                    'as_of_date', '业务日期: Business date of the run; empty when it has none.',
                    'state', '结果: success, failed, skipped, upstream_failed or removed.',
                    'started_at', '开始时间: When it began; empty when it never did.',
                    'ended_at', '结束时间: When it ended.',
                    'minutes', '用时（分钟）: How long it took, with what it waited while it was deferred.'
                ]
            ),
            (
                'model_run', 'One row per build and model of dbt.',
                $view$
                select run_key, as_of_date, model, state, seconds, rows, ended_at
                from operations.model_run
                $view$,
                array[
                    'run_key', '构建: The build.', 'as_of_date', '业务日期: Business date that was built.',
                    'model', '模型: Name of the model.', 'state', '结果: success, error or skipped.',
                    'seconds', '用时（秒）: How long dbt took for it.', 'rows', '行数: Rows that it made; empty for a view.',
                    'ended_at', '结束时间: When it was done.'
                ]
            ),
            (
                'alert', 'One row per failure or state that the data team was told of, or is to be.',
                $view$
                select
                    notice_id as alert_id, about, runbook, first_seen_at, last_seen_at, ended_at, times_told,
                    extract(epoch from coalesce(ended_at, last_seen_at) - first_seen_at)::double precision / 3600 as hours
                from operations.notice
                $view$,
                array[
                    'alert_id', '告警编号: Number of the alert.',
                    'about', '来源: A look of the watch, failure, or event.',
                    'runbook', '处置手册: Page of docs/runbooks that says what to do.',
                    'first_seen_at', '首次发现: When it was first seen.', 'last_seen_at', '最近发现: When it was last seen.',
                    'ended_at', '结束时间: When it was over; of an event, when it happened.',
                    'times_told', '告知次数: How often it was told while it lasted.',
                    'hours', '持续（小时）: Hours from the first to the last sight of it, or to its end.'
                ]
            )
        ) as views (name, comment, query, columns)
    loop
        if (
            select array_agg(attname::text order by attnum) from pg_attribute
            where attrelid = to_regclass('reporting.' || wanted.name) and attnum > 0 and not attisdropped
        ) is distinct from (
            select array_agg(cell order by place) from unnest(wanted.columns) with ordinality as cells (cell, place)
            where place % 2 = 1
        )
        then
            execute format('create or replace view reporting.%I as %s', wanted.name, wanted.query);
            execute format('comment on view reporting.%I is %L', wanted.name, wanted.comment);
            for item in
                select wanted.columns[place] as name, wanted.columns[place + 1] as comment
                from generate_series(1, array_length(wanted.columns, 1), 2) as place
            loop
                execute format('comment on column reporting.%I.%I is %L', wanted.name, item.name, item.comment);
            end loop;
        end if;
    end loop;
end
$$;
