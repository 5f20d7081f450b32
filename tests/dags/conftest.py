"""The DAGs as Airflow reads them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Once
from yingjian.settings import PROJECT_ROOT, Settings

SCRIPT = """
import json, pathlib, sys
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(dag_folder=sys.argv[1])
pathlib.Path(sys.argv[2]).write_text(json.dumps({
    "errors": bag.import_errors,
    "dags": {
        dag.dag_id: {
            "doc": dag.doc_md, "tags": sorted(dag.tags), "timezone": str(dag.timezone), "runs": dag.max_active_runs,
            "catchup": dag.catchup,
            "tasks": {
                task.task_id: {
                    "owner": task.owner, "retries": task.retries, "upstream": sorted(task.upstream_task_ids),
                    "callback": bool(task.on_failure_callback), "type": task.task_type,
                }
                for task in dag.tasks
            },
        }
        for dag in bag.dags.values()
    },
}))
"""


@pytest.fixture(scope="session")
def bag(once: Once, empty_home: Settings) -> dict:  # type: ignore[type-arg]
    """The DAGs, read in a process whose warehouse cannot be reached: parsing needs no database."""

    def make(folder: Path) -> None:
        environment = {
            **os.environ, "AIRFLOW_HOME": str(folder), "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "YINGJIAN_HOME": str(empty_home.home), "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder}/none.db",
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(folder / "plugins"), "AIRFLOW__COSMOS__ENABLE_CACHE": "False",
            "YINGJIAN_PG_HOST": "192.0.2.1", "YINGJIAN_PG_PORT": "1", "YINGJIAN_PG_USER": "nobody",
            "YINGJIAN_PG_PASSWORD": "none", "YINGJIAN_PG_DBNAME": "none",
        }  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, str(PROJECT_ROOT / "dags"), str(folder / "bag.json")],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]

    return json.loads((once("dags", make) / "bag.json").read_text())
