"""Airflow's own processes are killed in a real run: readers poll throughout, and the run is made good."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from tests import support
from tests.conftest import WORLD_DAY, HomeFactory
from tests.faults import kill_scheduler, polling
from tests.support import query
from yingjian.database import warehouse
from yingjian.settings import Settings

pytestmark = pytest.mark.beyond  # `test_run.py` kills the whole run; here the scheduler and each task's process go.


def kill_tree(pid: int) -> None:
    with suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        for process in [*reversed(root.children(recursive=True)), root]:
            with suppress(psutil.NoSuchProcess):
                process.kill()


def test_scheduler_and_workers_killed_in_a_run(
    home_factory: HomeFactory, published_town: Settings, simulated_landing: Path
) -> None:
    """In each stage of one real run what does its work is killed once; the run ends well, or the same command again does."""
    town = home_factory("faults", published_town)
    before = support.marts(town)
    environment = {**os.environ, "YINGJIAN_HOME": str(town.home)}
    command = [sys.executable, "-m", "yingjian.cli", "run", "--date", str(WORLD_DAY), "--landing", str(simulated_landing)]  # fmt: skip
    ahead = {"land", "build", "audit", "publish", "report"}
    killed: list[str] = []
    with polling(town) as reader:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while process.poll() is None:
            try:
                with psycopg.connect(warehouse.airflow_uri(town)) as conn:
                    working = conn.execute(
                        "select task_id, pid from task_instance where state = 'running' and pid is not null and task_id = any(%s)",
                        (sorted(ahead),),
                    ).fetchall()
            except (psycopg.Error, OSError, ValueError):
                working = []
            for task, pid in working:
                if task == "build":  # dbt's own task is not tried again; here the scheduler goes.
                    kill_scheduler(town)
                else:
                    kill_tree(pid)
                ahead.discard(task)
                killed.append(task)
            time.sleep(0.1)
        process.communicate()
        assert len(killed) >= 2, killed
        reader.wait_for_polls()
        if process.returncode != 0:
            again = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            assert again.returncode == 0, again.stderr
        assert support.marts(town) == before
        assert set(reader.seen) >= {str(query(town, "select publication_id from reporting.publication")[0][0])}
