"""Modules that are imported before Airflow forks must not start a thread: a fork copies locks, not the threads that hold them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from yingjian.settings import Settings

pytestmark = pytest.mark.slow

SCRIPT = """
import os, sys, threading
import airflow.__main__
from yingjian.operations.airflow_service import import_before_forks
import_before_forks(sys.argv[1])
from yingjian.modelling import dbt
tasks = {open(f"/proc/self/task/{task}/comm").read().strip() for task in os.listdir("/proc/self/task")[1:]}
print("PROJECTS", len(dbt._manifests), "THREADS", threading.active_count(), *sorted(tasks))
"""


@pytest.mark.parametrize(
    ("service", "threads"),
    [("dag-processor", "PROJECTS 0 THREADS 1\n"), ("scheduler", "PROJECTS 1 THREADS 1 jemalloc_bg_thd\n")],
)
def test_what_children_need_starts_no_thread(service: str, threads: str, tmp_path: Path, world: Settings) -> None:
    """Nothing but jemalloc, which knows of forks, has a thread; the scheduler has read dbt's project."""
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(tmp_path),
        "YINGJIAN_HOME": str(world.home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__COSMOS__ENABLE_TELEMETRY": "False",
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, service], env=environment, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert threads in done.stdout, done.stdout[-500:] + done.stderr[-2000:]
