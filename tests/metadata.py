"""This module inserts rows into Airflow's metadata database as its services do."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import psycopg


def put(conn: psycopg.Connection, table: str, **values: Any) -> None:
    names = ", ".join(values)
    places = ", ".join(["%s"] * len(values))
    conn.execute(f"insert into {table} ({names}) values ({places})", list(values.values()))  # type: ignore[arg-type]


def put_dag(conn: psycopg.Connection, dag_id: str, last_parsed_time: datetime) -> None:
    """Insert a DAG that Airflow has read at this time."""
    conn.execute("insert into dag_bundle (name) values ('dags-folder') on conflict do nothing")
    put(
        conn, "dag", dag_id=dag_id, last_parsed_time=last_parsed_time, bundle_name="dags-folder", is_paused=False, is_stale=False,
        timetable_type="", partition_mapper_info="{}", max_active_tasks=1, max_consecutive_failed_dag_runs=0,
        has_task_concurrency_limits=False,
    )  # fmt: skip


def put_run(conn: psycopg.Connection, dag_id: str, run_id: str, state: str = "running", **values: Any) -> None:
    """Insert a run of a DAG; `values` are further columns of dag_run."""
    moment = values.pop("start_date", datetime.now(UTC))
    put(
        conn, "dag_run", dag_id=dag_id, run_id=run_id, state=state, run_type=values.pop("run_type", "manual"),
        queued_at=moment, start_date=moment, run_after=moment, clear_number=0, span_status="ended",
        **values,
    )  # fmt: skip


def put_task(conn: psycopg.Connection, dag_id: str, run_id: str, task_id: str, state: str, **values: Any) -> uuid.UUID:
    """Insert a task of a run; `values` are further columns of task_instance. Returns its id."""
    number = uuid.uuid4()
    put(
        conn, "task_instance", id=number, dag_id=dag_id, run_id=run_id, task_id=task_id, state=state,
        map_index=-1, try_number=values.pop("try_number", 1), max_tries=1, pool="default_pool", pool_slots=1,
        span_status="ended", **values,
    )  # fmt: skip
    return number
