"""Entry point `python -m yingjian.operations.airflow_service SERVICE` of one Airflow service or command, or of the portal.

The scheduler or a worker forks a process per task, the DAG processor one per file. Each would import the same modules first,
which takes longer than most tasks, so they are imported here before the first fork. A module that starts a thread or opens a
connection must not be among them: a fork copies locks, but not the threads that hold them. The thread of jemalloc, Arrow's
allocator, is an exception: jemalloc stops it before a fork and restarts it afterwards.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from importlib import import_module
from typing import NoReturn

from yingjian.operations.service_names import PORTAL
from yingjian.processes import collect_garbage_rarely, end_with, leave, no_core_files
from yingjian.scratch import own_folder
from yingjian.settings import TELEMETRY_OFF, Settings

# Needed by every child that parses a DAG file or runs a task.
IN_EVERY_CHILD = (
    "airflow.dag_processing.dagbag",
    "airflow.providers.amazon.aws.assets.s3",  # Airflow queries every provider when an asset is created.
    "airflow.providers.standard.decorators.branch_python",
    "airflow.sdk.definitions.decorators",
    "airflow.sdk.execution_time.task_runner",
    "cosmos.airflow.task_group",
    "cosmos.operators.local",
    "cosmos.plugin.airflow3",
    "yingjian.orchestration.approval",
    "yingjian.orchestration.model_tasks",
    "yingjian.orchestration.tasks",
)
# Builds, audits, reports and packs need these, whose import takes three seconds of CPU time. Polars is left out, since it starts
# threads on import.
IN_THE_DAY = ("dbt.adapters.postgres", "dbt.cli.main", "yingjian.quality.expectations", "yingjian.reports.packs")
RUNNING_TASKS = ("celery", "scheduler")
FORKING = (*RUNNING_TASKS, "dag-processor")

# With `--supervised-by PID`, the service exits when that process does.
SUPERVISED_BY = "--supervised-by"


def main() -> NoReturn:
    no_core_files()
    collect_garbage_rarely()
    if sys.argv[1] == SUPERVISED_BY:
        end_with(int(sys.argv[2]))
        del sys.argv[1:3]
    status: object = 0
    with own_folder():
        try:
            _serve()
        except SystemExit as end:
            status = end.code
    leave(status)


def _serve() -> None:
    if sys.argv[1] == PORTAL:
        from yingjian.portal.service import serve

        serve()
        return
    from airflow.__main__ import main as airflow  # The first import of Airflow reads its configuration.

    if sys.argv[1] in FORKING:
        import_before_forks(sys.argv[1])
    airflow()  # type: ignore[no-untyped-call]


def import_before_forks(service: str) -> None:
    # Nothing here multiplies matrices, and OpenBLAS would start an idle thread for each core.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.update(TELEMETRY_OFF)
    for module in IN_EVERY_CHILD + (IN_THE_DAY if service in RUNNING_TASKS else ()):
        import_module(module)
    if service in RUNNING_TASKS:
        _read_models()


def _read_models() -> None:
    """Read dbt's project, which takes a second, so that no build has to, until the project changes."""
    from yingjian.modelling import dbt

    with suppress(Exception):  # A build reads it again and says what is wrong.
        dbt.read_project(Settings.load())


if __name__ == "__main__":
    main()
