"""`yingjian up` in real: what is killed goes on, what is slow is left alone, what cannot stay up ends it with an error."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import psutil
import psycopg
import pytest

from tests import support
from tests.conftest import WORLD_DAY, HomeFactory
from tests.servers import free_port
from yingjian import clock
from yingjian.database import warehouse
from yingjian.operations import airflow_api, status, supervisor
from yingjian.operations.service_names import PORTAL
from yingjian.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.beyond]

PAUSE_SECONDS = 60


def wait_for(condition: Callable[[], object], seconds: int = 600) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if condition():
                return
        except (psycopg.Error, OSError):
            pass
        time.sleep(0.3)
    raise AssertionError("it did not come to that")


class Up:
    """`yingjian up` in a home of a made-up town, as a process of its own."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.port = free_port()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "yingjian.cli", "up"],
            env={**os.environ, "YINGJIAN_HOME": str(settings.home), "YINGJIAN_PORT": str(self.port), "YINGJIAN_PORTAL_PORT": str(free_port())},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.airflow = airflow_api.Airflow(settings, f"http://127.0.0.1:{self.port}")

    def pid(self, service: str) -> int:
        state = json.loads((self.settings.home / "airflow" / "services.json").read_text())
        return int(state["services"][[*supervisor.SERVICES, PORTAL].index(service)][0])

    def kill(self, service: str) -> None:
        killed = self.pid(service)
        os.kill(killed, signal.SIGKILL)
        wait_for(lambda: self.pid(service) != killed, 60)

    def build(self) -> tuple[Any, ...]:
        """State, try and process of the newest build."""
        with psycopg.connect(warehouse.airflow_uri(self.settings)) as conn:
            row = conn.execute(
                "select state, try_number, pid from task_instance where task_id = 'build' order by start_date desc nulls last"
            ).fetchone()
        return row or (None, 0, None)

    def run_state(self, dag: str, run_id: str) -> str:
        return str(self.airflow._get(f"/api/v2/dags/{dag}/dagRuns/{run_id}")["state"])

    def trigger(self, dag: str, conf: dict[str, str]) -> str:
        asked = {"logical_date": None, "conf": conf}
        return str(self.airflow._request("POST", f"/api/v2/dags/{dag}/dagRuns", json=asked)["dag_run_id"])


@pytest.fixture(scope="module")
def up(home_factory: HomeFactory, landed_town: Settings) -> Iterator[Up]:
    settings = home_factory("up", landed_town)
    # A demo's clock that stands still: nothing is scheduled for today.
    clock.set_demo_clock(settings.home, datetime(2022, 7, 21, 7, tzinfo=clock.SHANGHAI))
    running = Up(settings)
    try:
        running.airflow.wait_until_ready()
        yield running
    finally:
        running.process.terminate()
        running.process.communicate()


def session(leader: int) -> list[psutil.Process]:
    return [process for process in psutil.process_iter() if os.getsid(process.pid) == leader]


def test_a_build_that_is_interrupted_four_times_and_stopped_for_a_minute_is_published(up: Up) -> None:
    run_id = up.trigger("daily", {"date": str(WORLD_DAY)})
    for number in range(1, 4):
        wait_for(lambda number=number: up.build()[:2] == ("running", number) and up.build()[2])  # type: ignore[misc]
        os.kill(up.build()[2], signal.SIGKILL)
    a_model = "select to_regclass('intermediate.int_sample__counting') is not null"
    wait_for(lambda: up.build()[:2] == ("running", 4) and support.query(up.settings, a_model) == [(True,)])

    scheduler = up.pid("scheduler")
    stopped = session(scheduler)
    assert len(stopped) > 2, "the scheduler, its workers and the build"
    for process in stopped:
        process.suspend()
    time.sleep(PAUSE_SECONDS)
    for process in stopped:
        process.resume()

    wait_for(lambda: up.run_state("daily", run_id) in airflow_api.FINISHED, 900)
    assert up.run_state("daily", run_id) == "success"
    assert up.build()[:2] == ("success", 4), "it went on where it was stopped"
    assert up.pid("scheduler") == scheduler, "nobody took it for dead"
    assert support.query(up.settings, "select as_of_date from reporting.publication") == [(WORLD_DAY,)]


def test_services_killed_six_times_over_and_one_that_does_not_stay_up(up: Up) -> None:
    for service in ("triggerer", "dag-processor", "api-server", "scheduler", "triggerer", "dag-processor", PORTAL):
        up.kill(service)
    wait_for(lambda: status.collect(up.settings)["services"]["states"][PORTAL] == "healthy")
    up.airflow.wait_until_ready()
    run_id = up.trigger("landing", {})
    wait_for(lambda: up.run_state("landing", run_id) in airflow_api.FINISHED)
    assert up.run_state("landing", run_id) == "success"
    assert up.process.poll() is None

    up.kill("triggerer")
    os.kill(up.pid("triggerer"), signal.SIGKILL)
    _, message = up.process.communicate(timeout=120)
    assert up.process.returncode == 2
    assert "yingjian: the triggerer does not stay up: see " in message and message.count("yingjian: ") == 1
    assert not (up.settings.home / "airflow" / "services.json").exists()
