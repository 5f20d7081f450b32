"""Modules that are imported before Airflow forks must not start a thread: a fork copies locks, not the threads that hold them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import threading
from importlib import import_module
import airflow.__main__
from yingjian.operations import airflow_service
for module in airflow_service.IN_EVERY_CHILD:
    import_module(module)
print("THREADS", threading.active_count(), len(__import__("os").listdir("/proc/self/task")))
"""


def test_what_every_child_needs_starts_no_thread(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__COSMOS__ENABLE_TELEMETRY": "False",
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert "THREADS 1 1" in done.stdout, done.stdout[-500:] + done.stderr[-2000:]
