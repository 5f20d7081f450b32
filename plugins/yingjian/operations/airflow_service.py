"""`python -m yingjian.operations.airflow_service SERVICE`: one of Airflow's services, with what its children need imported once.

The scheduler or a worker forks a process for each task and the DAG processor one for each look at a file; each would first
import the same modules, which takes it longer than most tasks. They are imported here, before the first fork. Only what
starts no thread and opens no connection may be: a fork copies locks, not the threads that hold them.
"""

from __future__ import annotations

import sys
from importlib import import_module

# What reading a DAG file and running a task begin with; not what a single task needs (dbt, Great Expectations, polars).
IN_EVERY_CHILD = (
    "airflow.dag_processing.dagbag",
    "airflow.providers.amazon.aws.assets.s3",  # Naming an asset asks every provider.
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
FORKING = ("celery", "dag-processor", "scheduler")


def main() -> None:
    from airflow.__main__ import main as airflow  # The first import of Airflow: it reads its configuration.

    if sys.argv[1] in FORKING:
        for module in IN_EVERY_CHILD:
            import_module(module)
    airflow()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
