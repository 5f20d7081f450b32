"""Modules that are imported before Airflow forks must not start a thread: a fork copies locks, not the threads that hold them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SCRIPT = """
import os, sys, threading
import airflow.__main__
from yingjian.operations.airflow_service import import_before_forks
import_before_forks(sys.argv[1])
tasks = {open(f"/proc/self/task/{task}/comm").read().strip() for task in os.listdir("/proc/self/task")[1:]}
print("THREADS", threading.active_count(), *sorted(tasks))
"""


@pytest.mark.parametrize(
    ("service", "threads"), [("dag-processor", "THREADS 1\n"), ("scheduler", "THREADS 1 jemalloc_bg_thd\n")]
)
def test_what_children_need_starts_no_thread(service: str, threads: str, tmp_path: Path) -> None:
    """Nothing but jemalloc, which knows of forks, has a thread."""
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__COSMOS__ENABLE_TELEMETRY": "False",
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, service], env=environment, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert threads in done.stdout, done.stdout[-500:] + done.stderr[-2000:]
