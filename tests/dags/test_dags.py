"""Policy of the DAGs: they load without a database, say who owns them and what to do, and try again."""

from __future__ import annotations

import ast
import textwrap
from pathlib import Path

import pytest

from yingjian.orchestration.model_tasks import task_of
from yingjian.pipeline import Dag, Task
from yingjian.settings import PROJECT_ROOT


def test_dags_are_found_without_errors(bag: dict) -> None:  # type: ignore[type-arg]
    assert bag["errors"] == {}
    assert set(bag["dags"]) == set(Dag)


def test_every_task_that_other_code_names_is_there(bag: dict) -> None:  # type: ignore[type-arg]
    """A watch, a page or a command that asks Airflow for a task of another name would find nothing, in silence."""
    assert {task for dag in bag["dags"].values() for task in dag["tasks"]} >= set(Task)


def test_every_dag_says_what_to_do(bag: dict) -> None:  # type: ignore[type-arg]
    for name, dag in bag["dags"].items():
        assert "When" in dag["doc"] and f"docs/runbooks/{name}.md" in dag["doc"], name
        assert (PROJECT_ROOT / "docs" / "runbooks" / f"{name}.md").is_file()
        assert dag["tags"] == ["yingjian"]
        assert dag["timezone"] == "Asia/Shanghai"
        # Missed days are made up, nothing else is.
        assert dag["catchup"] is (name == "daily")
        # Whoever waits for an hour, a person or its turn must not keep the next one waiting.
        assert dag["runs"] == (8 if name in ("daily", "delivery", "public_release") else 1)


def test_every_task_has_an_owner_and_tells_of_failure(bag: dict) -> None:  # type: ignore[type-arg]
    for name, dag in bag["dags"].items():
        for task_id, task in dag["tasks"].items():
            is_model = task["type"] == "ModelTask"
            assert task["owner"] == "data-team", f"{name}.{task_id}"
            assert task["callback"] != is_model, f"{name}.{task_id}: of a failed build one task tells, not sixty"
            if not is_model and task_id not in ("release_by_hand", "sign_off"):
                assert task["retries"] >= 1, f"{name}.{task_id}"


def test_every_model_is_a_task(bag: dict) -> None:  # type: ignore[type-arg]
    tasks = bag["dags"]["daily"]["tasks"]
    models = {path.stem for path in (PROJECT_ROOT / "dbt_project" / "models").rglob("*.sql")}
    assert len(models) > 30
    assert {f"models.{model}_run" for model in models} == {name for name in tasks if tasks[name]["type"] == "ModelTask"}
    assert {task_of(f"model.yingjian.{model}") for model in models} < tasks.keys()
    assert "models.int_obligation__unioned_run" in tasks["models.obligation_run"]["upstream"], "edges show the lineage"
    assert tasks["models.stg_platform__cases_run"]["upstream"] == ["build"], "nothing is green before the build is"


def test_only_an_audited_build_is_published(bag: dict) -> None:  # type: ignore[type-arg]
    tasks = bag["dags"]["daily"]["tasks"]
    assert set(tasks["publish"]["upstream"]) == {"gate", "release_by_hand"}
    assert tasks["gate"]["upstream"] == ["audit"]
    assert tasks["audit"]["upstream"] == ["build"]
    assert tasks["report"]["upstream"] == ["publish"]


def test_a_day_waits_for_its_data_and_then_for_its_turn_to_build(bag: dict) -> None:  # type: ignore[type-arg]
    tasks = bag["dags"]["daily"]["tasks"]
    assert tasks["claim_build"]["upstream"] == ["wait_for_feeds"] and tasks["wait_for_feeds"]["upstream"] == []
    writers = {name for name, task in tasks.items() if "claim_build" in task["upstream"]}
    assert writers == {"build"}, "nothing else writes the schema build"


def test_a_late_file_makes_its_day_again(bag: dict) -> None:  # type: ignore[type-arg]
    tasks = bag["dags"]["landing"]["tasks"]
    assert tasks["late"]["upstream"] == ["land"] and tasks["correct"]["upstream"] == ["late"]


def test_nothing_goes_to_the_public_before_it_is_signed_off(bag: dict) -> None:  # type: ignore[type-arg]
    tasks = bag["dags"]["public_release"]["tasks"]
    assert tasks["bulletin"]["upstream"] == ["release"] and tasks["release"]["upstream"] == ["sign_off"]
    assert tasks["sign_off"]["type"] == "SignOff"
    assert bag["dags"]["daily"]["tasks"]["release_by_hand"]["type"] == "ReleaseByHand"


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
