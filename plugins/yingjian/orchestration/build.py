"""Lets runs, and builds by hand, queue for the schema `build`; a run waits deferred."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

import psycopg
from airflow.sdk import BaseOperator

from yingjian.database import warehouse
from yingjian.database.airflow_database import BUSINESS_DATE, ask_airflow
from yingjian.modelling import dbt
from yingjian.orchestration import tasks
from yingjian.orchestration.polling import PollingTrigger
from yingjian.pipeline import Dag, Task
from yingjian.publishing import build as builds
from yingjian.settings import Settings

POLL_SECONDS = 3.0


def ask(settings: Settings, run_id: str, day: date, missing: list[str]) -> None:
    """Add a run to the queue for the schema `build`."""
    with warehouse.connect(settings, "publisher") as conn:
        builds.ask(conn, run_id, day, missing)


def take_turn(settings: Settings, run_id: str, day: date) -> bool:
    """Try to take ownership of the schema `build`; return whether the run owns it now."""
    with warehouse.connect(settings, "publisher") as conn:
        build = builds.ask(conn, run_id, day)
        return builds.take_turn(
            conn, build, lambda other: is_alive(settings, conn, other), lambda: _is_earlier_coming(settings, conn, day)
        )


def is_alive(settings: Settings, conn: psycopg.Connection[Any], run_id: str) -> bool:
    """Return whether a claim's run is alive: a DAG run by Airflow's record, a build by hand by its advisory lock."""
    if run_id.startswith(builds.BY_HAND):
        return builds.process_is_alive(conn, run_id)
    return bool(
        ask_airflow(
            settings,
            "select 1 from dag_run where dag_id = %s and run_id = %s and state in ('queued', 'running')",
            (Dag.DAILY, run_id),
        )
    )


def _is_earlier_coming(settings: Settings, conn: psycopg.Connection[Any], day: date) -> bool:
    """Return whether a run of an earlier business date was queued recently and has not claimed its turn yet."""
    runs = {
        run_id
        for (run_id,) in ask_airflow(
            settings,
            f"""
            select run_id from dag_run
            where dag_id = %s and state in ('queued', 'running') and queued_at > now() - interval '10 minutes'
            and {BUSINESS_DATE} < %s
            """,
            (Dag.DAILY, day),
        )
    }
    if not runs:
        return False
    claims = conn.execute("select run_id from publishing.build where run_id = any(%s)", (list(runs),)).fetchall()
    return bool(runs - {run_id for (run_id,) in claims})


@contextmanager
def by_hand(settings: Settings, day: date) -> Iterator[dict[str, str]]:
    """Own the schema `build` while this process builds in it; yield the environment that proves ownership to dbt."""
    with warehouse.connect(settings, "publisher") as conn:
        alive = lambda run_id: is_alive(settings, conn, run_id)  # noqa: E731
        with builds.by_hand(conn, day, alive, lambda: time.sleep(POLL_SECONDS)) as build:
            yield environment(build) | dbt.full_refresh(settings)


@contextmanager
def staging_at_rest(settings: Settings) -> Iterator[None]:
    """Wait for a running build, and block new ones while this process writes staging."""
    with (
        warehouse.connect(settings, "publisher") as conn,
        builds.staging_at_rest(conn, lambda run_id: is_alive(settings, conn, run_id), lambda: time.sleep(POLL_SECONDS)),
    ):
        yield


def environment(build: builds.Build) -> dict[str, str]:
    """Return the environment variables with which dbt builds as the owner."""
    return {"YINGJIAN_BUILD_TOKEN": build.token}


class ClaimBuild(BaseOperator):
    """Waits, deferred, until its run owns the schema `build`; the run keeps it until it has published."""

    def execute(self, context: Any) -> None:
        settings, run_id = Settings.load(), context["run_id"]
        day = tasks.business_date(context)
        missing = context["ti"].xcom_pull(task_ids=Task.WAIT_FOR_FEEDS) or []
        ask(settings, run_id, day, missing)
        if not take_turn(settings, run_id, day):
            self.defer(trigger=TurnTrigger(run_id, day.isoformat()), method_name="execute_complete")

    def execute_complete(self, context: Any, event: dict[str, Any]) -> None:
        self.log.info("the schema build is this run's")


@dataclass(eq=False, repr=False)
class TurnTrigger(PollingTrigger):
    """Fires when the run owns the schema `build`."""

    run_id: str
    day: str
    seconds = POLL_SECONDS

    def look(self) -> dict[str, Any] | None:
        is_owner = take_turn(Settings.load(), self.run_id, date.fromisoformat(self.day))
        return {"owner": True} if is_owner else None
