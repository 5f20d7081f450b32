"""The task of a model says what its build made of the model, and runs nothing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from yingjian.orchestration import model_tasks
from yingjian.orchestration.model_tasks import ModelTask, task_of, teller


def test_the_scheduler_ends_the_task_without_a_process() -> None:
    """It does so with an EmptyOperator that has no callback, and with no other operator."""
    task = ModelTask(task_id="due_run")
    assert task.inherits_from_empty_operator
    assert not task.on_success_callback and not task.on_execute_callback and not task.on_failure_callback
    assert task.retries == 0


def test_each_result_is_told_once_to_the_task_of_its_model(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[Any, ...]] = []
    monkeypatch.setattr(model_tasks.XCom, "set", lambda key, value, **where: told.append((key, value, where)))
    tell = teller(SimpleNamespace(dag_id="daily", run_id="r"))
    made, failed = {"state": "success", "seconds": 0.1, "rows": 3}, {"state": "error", "seconds": 0.1, "rows": None}
    tell({"model.yingjian.due": made, "seed.yingjian.feed": made})
    tell({"model.yingjian.due": made, "model.yingjian.overdue": failed})
    assert told == [
        ("result", made, {"dag_id": "daily", "task_id": "models.due_run", "run_id": "r"}),
        ("result", failed, {"dag_id": "daily", "task_id": "models.overdue_run", "run_id": "r"}),
    ]


def test_a_result_that_could_not_be_told_is_told_the_next_time(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    def fails_at_first(key: str, value: Any, **where: Any) -> None:
        told.append(where["task_id"])
        if len(told) == 1:
            raise OSError

    monkeypatch.setattr(model_tasks.XCom, "set", fails_at_first)
    tell = teller(SimpleNamespace(dag_id="daily", run_id="r"))
    with pytest.raises(OSError):
        tell({"model.yingjian.due": {}})
    tell({"model.yingjian.due": {}})
    assert told == [task_of("model.yingjian.due")] * 2
