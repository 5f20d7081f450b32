"""The times that runs took outlive Airflow's record; that record and its logs go when they are old."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg.types.json import Json

from tests.metadata import put_run, put_task
from yingjian.clock import SHANGHAI
from yingjian.orchestration import housekeeping, memory
from yingjian.settings import Settings

NOW = datetime.now(UTC)
DAY = datetime(2026, 1, 4, tzinfo=SHANGHAI)


def kept(conn: psycopg.Connection) -> list[tuple]:  # type: ignore[type-arg]
    return conn.execute(
        "select run_id, task_id, try_number, business_date, state, seconds from operations.task_run order by 1, 2, 3"
    ).fetchall()


def put_runs(airflow: psycopg.Connection, ended: datetime) -> None:
    interval = {"data_interval_start": DAY, "data_interval_end": DAY + timedelta(days=1)}
    put_run(airflow, "daily", "day", "success", start_date=ended, **interval)
    put_run(airflow, "daily", "correction", "running", start_date=ended, conf=Json({"date": "2026-01-02"}), **interval)
    put_run(airflow, "landing", "r", "success", start_date=ended, conf=Json({"date": "no date"}))
    times = {"start_date": ended - timedelta(seconds=90), "end_date": ended, "duration": 90.0}
    put_task(airflow, "daily", "day", "build", "success", try_number=2, **times)
    put_task(airflow, "daily", "correction", "build", "failed", **times)
    put_task(airflow, "daily", "correction", "audit", "running", start_date=ended)
    put_task(airflow, "landing", "r", "land", "skipped", **times)


def test_each_try_that_ended_is_kept_once(conn: psycopg.Connection, airflow: psycopg.Connection) -> None:
    conn.execute("truncate operations.task_run")
    put_runs(airflow, NOW)
    expected = [
        ("correction", "build", 1, date(2026, 1, 2), "failed", 90.0),
        ("day", "build", 2, date(2026, 1, 4), "success", 90.0),
        ("r", "land", 1, None, "skipped", 90.0),
    ]
    assert memory.keep(conn, airflow) == 3 and kept(conn) == expected
    assert memory.keep(conn, airflow) == 3 and kept(conn) == expected
    airflow.execute("update task_instance set state = 'success' where run_id = 'correction' and task_id = 'build'")
    memory.keep(conn, airflow)
    assert kept(conn)[0][4] == "success", "somebody marked it"


@pytest.mark.slow
def test_it_outlives_airflow_s_own_cleaning(
    watched: Settings, conn: psycopg.Connection, airflow: psycopg.Connection
) -> None:
    conn.execute("truncate operations.task_run")
    put_runs(airflow, NOW - timedelta(days=91))
    put_run(airflow, "daily", "newest", "success", start_date=NOW - timedelta(days=89))
    put_run(airflow, "landing", "newest", "success", start_date=NOW - timedelta(days=89))
    assert housekeeping.clean(replace(watched, airflow_days=92), NOW)["runs"] == 0
    assert housekeeping.clean(replace(watched, airflow_days=90), NOW)["runs"] == 3
    assert airflow.execute("select run_id from dag_run").fetchall() == [("newest",), ("newest",)]
    assert len(kept(conn)) == 3


def test_logs_go_when_they_are_old(tmp_path: Path) -> None:
    folder = tmp_path / "dag_id=daily" / "run_id=old" / "task_id=build"
    folder.mkdir(parents=True)
    old, new = folder / "attempt=1.log", tmp_path / "dag_id=daily" / "new.log"
    for path in (old, new):
        path.write_text("x")
    service = tmp_path / "scheduler.log"
    with service.open("ab") as writing:  # As the supervisor leaves it open.
        writing.write(b"before\n")
        writing.flush()
        for path in (old, folder, folder.parent):
            os.utime(path, (0, 0))
        assert housekeeping.clean_logs(tmp_path, NOW - timedelta(days=1)) == 1
        writing.write(b"after\n")
    assert not old.exists() and new.exists()
    assert service.read_text() == "after\n"
    assert [path.read_text() for path in tmp_path.glob("scheduler.log.*")] == ["before\n"]
