"""The supervisor of Airflow's services goes on when it fails to start one again."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest

from yingjian import clock
from yingjian.database import warehouse
from yingjian.operations import airflow_home, supervisor
from yingjian.operations.airflow_service import SUPERVISED_BY
from yingjian.operations.service_processes import services_to_come, state_file_of
from yingjian.settings import Settings, SetupError


def test_a_failure_to_start_a_service_again_does_not_end_the_watch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(settings: Settings) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(supervisor, "commands", lambda settings: {"triggerer": ("no-such-service",)})
    monkeypatch.setattr(sys, "executable", "/bin/false")
    monkeypatch.setattr(warehouse, "ensure_running", no_space)
    (tmp_path / "airflow").mkdir()
    settings = Settings.load({"YINGJIAN_HOME": str(tmp_path)})
    environment = {**os.environ, "AIRFLOW_HOME": str(tmp_path / "airflow")}
    started = supervisor.Supervisor(settings, environment, {}, tmp_path / "airflow" / "services.json")
    started.start()
    try:
        with pytest.raises(SetupError, match="triggerer does not stay up"):
            for _ in range(600):
                started.check()
                time.sleep(0.1)
    finally:
        started.stop()


def test_services_that_nothing_waits_for_start_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "service"
    program.write_text("#!/bin/sh\nexec sleep 600\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    (tmp_path / "airflow").mkdir()
    settings = Settings.load({"YINGJIAN_HOME": str(tmp_path)})
    started = supervisor.Supervisor(settings, dict(os.environ), {}, state_file_of(settings))
    started.start(later=supervisor.LATER)
    try:
        assert services_to_come(settings) == list(supervisor.LATER)
        assert started._processes.keys() == set(supervisor.SERVICES) - set(supervisor.LATER)
        started._later_from = time.monotonic()
        for _ in range(600):
            if not services_to_come(settings):
                break
            time.sleep(0.1)
        assert started._processes.keys() == set(supervisor.SERVICES)
    finally:
        started.stop()


@pytest.mark.parametrize(("schedule", "of_a_demo"), [(True, "30"), (False, "300")])
def test_a_demo_s_schedule_follows_its_clock_soon(tmp_path: Path, schedule: bool, of_a_demo: str) -> None:
    """Airflow asks for the next day when it reads the DAG's file; elsewhere no clock is set while the services run."""
    given = {
        "YINGJIAN_HOME": str(tmp_path),
        "YINGJIAN_WAREHOUSE": "postgresql://yingjian_owner:secret@127.0.0.1/yingjian",
        "YINGJIAN_PERSON_KEY": "key",
    }

    def interval() -> str:
        ports = dict.fromkeys(("api", "worker_log", "trigger_log"), 1)
        environment = airflow_home.airflow_environment(Settings.load(given), schedule=schedule, ports=ports)
        return environment["AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL"]

    assert interval() == "300"
    clock.set_demo_clock(tmp_path, datetime(2022, 7, 21, 6, tzinfo=clock.SHANGHAI))
    assert interval() == of_a_demo


def test_a_service_does_not_outlive_who_started_it() -> None:
    """Process 1 did not start it, so its own starter is gone."""
    done = subprocess.run(
        [sys.executable, "-m", "yingjian.operations.airflow_service", SUPERVISED_BY, "1", "scheduler"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode and "which started this service, is gone" in done.stderr


@pytest.mark.parametrize(
    ("end", "status", "error"), [("None", 0, ""), ("sys.exit(3)", 3, ""), ("sys.exit('No port.')", 1, "No port.\n")]
)
def test_a_service_runs_its_exit_handlers_and_frees_no_objects(
    tmp_path: Path, end: str, status: int, error: str
) -> None:
    program = (
        "import atexit, sys; from yingjian.operations import airflow_service as service;"
        "kept = type('Kept', (), {'__del__': lambda self: print('freed')})();"
        f"atexit.register(print, 'handled'); service._serve = lambda: {end}; sys.argv = ['x', 'scheduler']; service.main()"
    )
    environment = {**os.environ, "YINGJIAN_HOME": str(tmp_path)}
    ended = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (status, "handled\n", error)
