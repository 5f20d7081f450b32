"""This module reads from Airflow's metadata the last runs and the tasks that wait for a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from airflow.models.dagrun import DagRun
from airflow.models.hitl import HITLDetail
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from sqlalchemy import select

from yingjian.clock import SHANGHAI

RUNS = 30


@dataclass(frozen=True)
class Run:
    """A DAG run has times in Asia/Shanghai.

    `seconds` is None while it is at work; `failed` are its failed tasks.
    """

    dag_id: str
    run_id: str
    business_date: date | None
    state: str
    started_at: datetime | None
    seconds: float | None
    failed: Sequence[str]


@dataclass(frozen=True)
class Waiting:
    """This task waits for a person's answer in Airflow."""

    dag_id: str
    task_id: str
    business_date: date | None
    subject: str
    since: datetime


def last_runs() -> list[Run]:
    """Return the last runs of all DAGs, newest first."""
    with create_session() as session:
        rows = session.scalars(select(DagRun).order_by(DagRun.queued_at.desc().nulls_last()).limit(RUNS)).all()
        failed: dict[tuple[str, str], list[str]] = {}
        for dag_id, run_id, task_id in session.execute(
            select(TaskInstance.dag_id, TaskInstance.run_id, TaskInstance.task_id)
            .where(TaskInstance.state == "failed", TaskInstance.run_id.in_([run.run_id for run in rows]))
            .order_by(TaskInstance.task_id)
        ):
            failed.setdefault((dag_id, run_id), []).append(task_id)
        return [
            Run(
                run.dag_id,
                run.run_id,
                _day(run.data_interval_start),
                str(getattr(run.state, "value", run.state)),
                run.start_date.astimezone(SHANGHAI) if run.start_date else None,
                (run.end_date - run.start_date).total_seconds() if run.start_date and run.end_date else None,
                failed.get((run.dag_id, run.run_id), []),
            )
            for run in rows
        ]


def waiting() -> list[Waiting]:
    """Return the tasks that wait for a person, oldest first: a release by hand, a sign-off."""
    with create_session() as session:
        rows = session.execute(
            select(HITLDetail, TaskInstance.dag_id, TaskInstance.task_id, DagRun.data_interval_start)
            .join(TaskInstance, TaskInstance.id == HITLDetail.ti_id)
            .join(DagRun, (DagRun.dag_id == TaskInstance.dag_id) & (DagRun.run_id == TaskInstance.run_id))
            .where(HITLDetail.responded_at.is_(None), TaskInstance.state.in_(("awaiting_input", "deferred")))
            .order_by(HITLDetail.created_at)
            .limit(RUNS)
        ).all()
        return [
            Waiting(dag_id, task_id, _day(day), detail.subject, detail.created_at.astimezone(SHANGHAI))
            for detail, dag_id, task_id, day in rows
        ]


def _day(moment: datetime | None) -> date | None:
    return moment.astimezone(SHANGHAI).date() if moment else None
