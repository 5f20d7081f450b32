"""This module reads the last runs from Airflow's own record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from yingjian.clock import SHANGHAI
from yingjian.database.airflow_database import BUSINESS_DATE, ask_airflow
from yingjian.portal.readers import settings

RUNS = 30


@dataclass(frozen=True)
class Run:
    """A DAG run has times in Asia/Shanghai.

    `seconds` is None while the run goes on; `failed` are its failed tasks.
    """

    dag_id: str
    run_id: str
    business_date: date | None
    state: str
    started_at: datetime | None
    seconds: float | None
    failed: Sequence[str]


def last_runs() -> list[Run]:
    """Return the last runs of all DAGs, newest first."""
    rows = ask_airflow(
        settings(),
        f"""
        select
            dag_id, run_id, {BUSINESS_DATE}, state, start_date, end_date,
            array(
                select task_id::text from task_instance
                where task_instance.dag_id = dag_run.dag_id and task_instance.run_id = dag_run.run_id
                and task_instance.state = 'failed' order by task_id
            )
        from dag_run order by queued_at desc nulls last limit %s
        """,
        (RUNS,),
    )
    return [
        Run(
            dag_id,
            run_id,
            day,
            state,
            start.astimezone(SHANGHAI) if start else None,
            (end - start).total_seconds() if start and end else None,
            failed,
        )
        for dag_id, run_id, day, state, start, end, failed in rows
    ]
