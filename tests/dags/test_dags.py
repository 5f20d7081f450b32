"""Policy of the DAGs: they load without a database, say who owns them and what to do, and try again."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from yingjian.settings import PROJECT_ROOT, Settings

SCRIPT = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(dag_folder=sys.argv[1])
print("RESULT" + json.dumps({
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
def bag(world: Settings, tmp_path_factory: pytest.TempPathFactory) -> dict:  # type: ignore[type-arg]
    """The DAGs, read in a process whose warehouse cannot be reached: parsing needs no database."""
    import json

    from yingjian.warehouse.dbt import prepare_manifest

    prepare_manifest(world)
    home = tmp_path_factory.mktemp("airflow")
    environment = {
        **os.environ, "AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False", "YINGJIAN_HOME": str(world.home),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/none.db", "YINGJIAN_PG_HOST": "192.0.2.1",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(home / "plugins"), "AIRFLOW__COSMOS__ENABLE_CACHE": "False",
        "YINGJIAN_PG_PORT": "1", "YINGJIAN_PG_USER": "nobody", "YINGJIAN_PG_PASSWORD": "none", "YINGJIAN_PG_DBNAME": "none",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(PROJECT_ROOT / "dags")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT")]
    assert lines, done.stderr[-3000:]
    return json.loads(lines[0].removeprefix("RESULT"))


def test_dags_are_found_without_errors(bag: dict) -> None:  # type: ignore[type-arg]
    assert bag["errors"] == {}
    assert set(bag["dags"]) == {"landing", "daily", "maintenance", "delivery", "public_release", "bounces"}


def test_every_dag_says_what_to_do(bag: dict) -> None:  # type: ignore[type-arg]
    for name, dag in bag["dags"].items():
        assert "When" in dag["doc"] and f"docs/runbooks/{name}.md" in dag["doc"], name
        assert (PROJECT_ROOT / "docs" / "runbooks" / f"{name}.md").is_file()
        assert dag["tags"] == ["yingjian"]
        assert dag["timezone"] == "Asia/Shanghai"
        assert dag["catchup"] is False
        # Whoever waits for an hour or for a person must not keep the next publication waiting.
        assert dag["runs"] == (8 if name in ("delivery", "public_release") else 1)


def test_every_task_has_an_owner_and_tells_of_failure(bag: dict) -> None:  # type: ignore[type-arg]
    for name, dag in bag["dags"].items():
        for task_id, task in dag["tasks"].items():
            if task["type"] != "EmptyOperator":
                assert task["owner"] == "data-team", f"{name}.{task_id}"
                assert task["callback"], f"{name}.{task_id}"
            if not task_id.startswith("models.") and task_id not in ("release_by_hand", "sign_off"):
                assert task["retries"] >= 1, f"{name}.{task_id}"


def test_every_model_is_a_task(bag: dict) -> None:  # type: ignore[type-arg]
    tasks = set(bag["dags"]["daily"]["tasks"])
    models = {path.stem for path in (PROJECT_ROOT / "dbt_project" / "models").rglob("*.sql")}
    assert len(models) > 30
    assert {f"models.{model}_run" for model in models} <= tasks


def test_only_an_audited_build_is_published(bag: dict) -> None:  # type: ignore[type-arg]
    tasks = bag["dags"]["daily"]["tasks"]
    assert set(tasks["publish"]["upstream"]) == {"gate", "release_by_hand"}
    assert tasks["gate"]["upstream"] == ["audit"]
    assert any(upstream.startswith("models.") for upstream in tasks["audit"]["upstream"])
    assert tasks["report"]["upstream"] == ["publish"]


def test_nothing_goes_to_the_public_before_it_is_signed_off(bag: dict) -> None:  # type: ignore[type-arg]
    tasks = bag["dags"]["public_release"]["tasks"]
    assert tasks["bulletin"]["upstream"] == ["release"] and tasks["release"]["upstream"] == ["sign_off"]
    assert tasks["expired"]["upstream"] == ["sign_off"]
    assert tasks["sign_off"]["type"] == bag["dags"]["daily"]["tasks"]["release_by_hand"]["type"] == "ApprovalByRight"


def test_nothing_is_delivered_before_its_hour(bag: dict) -> None:  # type: ignore[type-arg]
    tasks = bag["dags"]["delivery"]["tasks"]
    assert "wait" in tasks["deliver"]["upstream"] and tasks["wait"]["upstream"] == ["plan"]


@pytest.mark.parametrize("path", sorted((PROJECT_ROOT / "dags").glob("*.py")), ids=lambda path: path.stem)
def test_a_dag_file_reads_like_a_table_of_contents(path: Path) -> None:
    """No loops, no SQL, no connections: those are in the package."""
    tree = ast.parse(path.read_text())
    forbidden = [node for node in ast.walk(tree) if isinstance(node, ast.For | ast.While | ast.With | ast.Try)]
    assert not forbidden, textwrap.shorten(ast.unparse(forbidden[0]), 80) if forbidden else ""
    assert "psycopg" not in path.read_text() and "select " not in path.read_text().lower()
