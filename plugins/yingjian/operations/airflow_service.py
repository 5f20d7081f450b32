"""`python -m yingjian.operations.airflow_service SERVICE` runs one of Airflow's services, or the portal.

It imports common modules once.

The scheduler or a worker forks a process for each task, the DAG processor one for each look at a file. Each would first
import the same modules, which takes longer than most tasks. This module imports them before the first fork. A module
that starts a thread or opens a connection may not be among them: a fork copies locks, not the threads that hold them.
The thread of jemalloc, the allocator of Arrow, is none of those: jemalloc stops it before a fork and starts it afterwards.
"""

from __future__ import annotations

import gc
import os
import sys
from importlib import import_module

from yingjian.operations.service_names import PORTAL
from yingjian.processes import end_with, no_core_files
from yingjian.scratch import own_folder
from yingjian.settings import TELEMETRY_OFF

# Every child that reads a DAG file or runs a task needs these modules.
IN_EVERY_CHILD = (
    "airflow.dag_processing.dagbag",
    "airflow.providers.amazon.aws.assets.s3",  # Airflow asks every provider when it names an asset.
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
# A build and an audit need these, which take five seconds of processor time. Polars starts threads of its own, so that
# whoever needs it imports it.
IN_THE_DAY = ("dbt.adapters.postgres", "dbt.cli.main", "great_expectations")
RUNNING_TASKS = ("celery", "scheduler")
FORKING = (*RUNNING_TASKS, "dag-processor")
# A service's imports make a million objects that stay; a look for garbage after each 700 of them costs a tenth of its start.
GARBAGE_AFTER = 10_000


# `airflow_service --supervised-by PID SERVICE`: the service ends with the process that has this number.
SUPERVISED_BY = "--supervised-by"


def main() -> None:
    no_core_files()
    gc.set_threshold(GARBAGE_AFTER)
    if sys.argv[1] == SUPERVISED_BY:
        end_with(int(sys.argv[2]))
        del sys.argv[1:3]
    with own_folder():
        _serve()


def _serve() -> None:
    if sys.argv[1] == PORTAL:
        from yingjian.portal.service import serve

        serve()
        return
    from airflow.__main__ import main as airflow  # This is the first import of Airflow, which reads its configuration.

    if sys.argv[1] in FORKING:
        import_before_forks(sys.argv[1])
    airflow()  # type: ignore[no-untyped-call]


def import_before_forks(service: str) -> None:
    os.environ.setdefault(
        "OPENBLAS_NUM_THREADS", "1"
    )  # Nothing here multiplies matrices; its threads would wait for that.
    os.environ.update(TELEMETRY_OFF)
    for module in IN_EVERY_CHILD + (IN_THE_DAY if service in RUNNING_TASKS else ()):
        import_module(module)


if __name__ == "__main__":
    main()
