"""Keeps the duration and outcome of every task run, copied from Airflow's metadata before that is cleaned."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg

from yingjian.database.airflow_database import BUSINESS_DATE

# Ends may be recorded out of order, so each copy overlaps the previous one.
OVERLAP = timedelta(hours=6)


def keep(conn: psycopg.Connection[Any], metadata: psycopg.Connection[Any]) -> int:
    """Copy task tries that ended since the last recorded one (with overlap); return how many were read.

    Upserts: a state that somebody changed by hand is updated.
    """
    row = conn.execute("select max(ended_at) - %s from operations.task_run", (OVERLAP,)).fetchone()
    ended = metadata.execute(
        f"""
        select
            ended.dag_id, ended.run_id, ended.task_id, ended.try_number, {BUSINESS_DATE},
            ended.state, ended.start_date, ended.end_date, ended.duration
        from (
            select dag_id, run_id, task_id, map_index, try_number, state, start_date, end_date, duration
            from task_instance
            union all
            select dag_id, run_id, task_id, map_index, try_number, state, start_date, end_date, duration
            from task_instance_history
        ) as ended
        inner join dag_run on dag_run.dag_id = ended.dag_id and dag_run.run_id = ended.run_id
        where ended.end_date > coalesce(%s, '-infinity'::timestamptz) and ended.map_index < 0
        and ended.state in ('success', 'failed', 'skipped', 'upstream_failed', 'removed')
        """,  # type: ignore[arg-type]
        (row[0] if row else None,),
    ).fetchall()
    with conn.transaction(), conn.cursor() as cursor:
        cursor.executemany(
            """
            insert into operations.task_run (
                dag_id, run_id, task_id, try_number, business_date, state, started_at, ended_at, seconds
            )
            values (%s, %s, %s, %s, %s, %s, %s, %s, %s)
            on conflict (dag_id, run_id, task_id, try_number) do update
            set state = excluded.state, ended_at = excluded.ended_at, seconds = excluded.seconds
            """,
            ended,
        )
    return len(ended)
