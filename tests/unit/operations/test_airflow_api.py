"""The client of Airflow's API knows when a run only waits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from yingjian.operations.airflow_api import Airflow
from yingjian.pipeline import Dag
from yingjian.settings import Settings

DOWNSTREAM = {"draft": ["sign_off"], "sign_off": ["release"], "release": ["bulletin"], "bulletin": [], "notice": []}
WAITING = {"draft": "success", "sign_off": "deferred", "release": None, "bulletin": None, "notice": "skipped"}


@pytest.mark.parametrize(
    ("states", "is_waiting"),
    [
        (WAITING, True),
        (WAITING | {"notice": "upstream_failed"}, True),
        (WAITING | {"notice": "running"}, False),
        (WAITING | {"notice": None}, False),  # It is between two tasks of another branch.
        (WAITING | {"sign_off": "up_for_reschedule"}, True),
        (WAITING | {"sign_off": "queued"}, False),
        (WAITING | {"draft": "running", "sign_off": None}, False),
    ],
)
def test_a_run_waits_once_all_that_does_not_follow_its_waiting_task_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, states: dict[str, str | None], is_waiting: bool
) -> None:
    instances = [{"task_id": name, "state": state, "duration": None} for name, state in states.items()]
    run = f"/api/v2/dags/{Dag.PUBLIC_RELEASE}/dagRuns/a run/taskInstances"
    answers: dict[str, Any] = {
        f"{run}/sign_off": {"state": states["sign_off"]},
        run: {"task_instances": instances, "total_entries": len(instances)},
        f"/api/v2/dags/{Dag.PUBLIC_RELEASE}/tasks": {
            "tasks": [{"task_id": name, "downstream_task_ids": after} for name, after in DOWNSTREAM.items()]
        },
    }
    airflow = Airflow(Settings.load({"YINGJIAN_HOME": str(tmp_path)}), "http://127.0.0.1:1")
    monkeypatch.setattr(airflow, "_get", lambda path, **_: answers[path])
    assert airflow._is_waiting(Dag.PUBLIC_RELEASE, "a run") is is_waiting
    assert airflow._is_waiting(Dag.LANDING, "a run") is False, "a landing waits for nobody"
