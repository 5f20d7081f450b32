"""Every dbt model is a task of its own, which shows the result of the model in the run's one `dbt build`.

The tasks wait in Airflow's triggerer, all of one run on one poll, so a model needs no process, no worker slot and no
import. docs/decisions/models-as-tasks.md has the reasons.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.sdk import BaseOperator, TriggerRule
from airflow.sdk.execution_time.xcom import XCom
from airflow.triggers.base import (
    BaseTaskEndEvent,
    BaseTrigger,
    StartTriggerArgs,
    TaskFailedEvent,
    TaskSkippedEvent,
    TaskSuccessEvent,
    TriggerEvent,
)
from asgiref.sync import sync_to_async

from yingjian.database.airflow_database import ask_airflow
from yingjian.settings import Settings

BUILD = "build"  # This task runs dbt. It reports the result of each model under this key.
BUILT = "models"
POLL_SECONDS = 2.0
WAIT_SECONDS = 10.0  # Before the build begins, a day may wait for its feeds for hours.
FORGET_SECONDS = 600.0

# A build that was cleared still has the report of its earlier try until it runs again.
_HAS_BEGUN = frozenset({"running", "up_for_retry", "success", "failed"})
_IS_OVER = frozenset({"success", "failed", "upstream_failed", "skipped", "removed"})

CLEARED_ALONE = (
    "a model is made by the run's one build and cannot be made by itself: clear `build` with what follows, which makes"
    " every model, checks and publishes again"
)


class ModelTask(BaseOperator):
    """This task succeeds when the build has made the model, and fails when the model failed.

    A model that depends on no other model waits for the build directly, so that it follows a build that goes on; the
    others start when the models before them are made. A task behind a failed model is upstream_failed, as always in
    Airflow. Only the task `build` alerts the team about a failed build.
    """

    start_from_trigger = True

    def __init__(self, *, model: str, is_first: bool, **arguments: Any) -> None:
        rule = TriggerRule.ALWAYS if is_first else TriggerRule.ALL_SUCCESS
        super().__init__(trigger_rule=rule, retries=0, on_failure_callback=None, **arguments)
        self.start_trigger_args = StartTriggerArgs(
            trigger_cls=f"{ModelTrigger.__module__}.{ModelTrigger.__qualname__}",
            trigger_kwargs={"model": model},
            next_method="execute",
        )
        self.model = model

    def execute(self, context: Any) -> None:
        self.defer(trigger=ModelTrigger(self.model), method_name="execute")


def as_task(*, task_id: str, node: Any, dag: Any, task_group: Any, **_: Any) -> ModelTask:
    """Convert a model node for Cosmos (`RenderConfig.node_converters`)."""
    is_first = not any(name.startswith("model.") for name in node.depends_on)
    return ModelTask(task_id=task_id, model=node.unique_id, is_first=is_first, dag=dag, task_group=task_group)


class ModelTrigger(BaseTrigger):
    """This trigger ends the task of `model` (dbt's unique id) with the model's result: state, seconds and rows."""

    def __init__(self, model: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.model = model

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{type(self).__module__}.{type(self).__qualname__}", {"model": self.model}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        task: Any = self.task_instance
        run = (task.dag_id, task.run_id)
        if task.try_number > 1 and await asyncio.to_thread(_is_cleared_alone, task):
            self.log.error("%s: %s", self.model, CLEARED_ALONE)
            yield TaskFailedEvent()
            return
        while True:
            build, models = await _build_report(run)
            result = models.get(self.model)
            ended = verdict(build, result["state"] if result else None)
            if ended is not None:
                event, word = ended
                if result:
                    self.log.info(
                        "%s: %s, %s s, %s rows", self.model, result["state"], result["seconds"], result["rows"]
                    )
                    yield event(xcoms={"seconds": result["seconds"], "rows": result["rows"]})
                else:
                    self.log.info("%s: %s (build: %s)", self.model, word, build)
                    yield event()
                return
            await asyncio.sleep(POLL_SECONDS if build in _HAS_BEGUN else WAIT_SECONDS)


def verdict(build: str | None, model: str | None) -> tuple[type[BaseTaskEndEvent], str] | None:
    """Return how the task of a model ends, from the states of the task `build` and of the model; None while it goes on.

    A failed model counts only when the build is over: the build may be tried again.
    """
    if build in _HAS_BEGUN and model == "success":
        return TaskSuccessEvent, "made"
    if build not in _IS_OVER:
        return None
    return (TaskFailedEvent, "failed") if model == "error" else (TaskSkippedEvent, "not made")


def _is_cleared_alone(task: Any) -> bool:
    """Return whether only this task was cleared, without the build: it had ended after the finished build began."""
    return bool(
        ask_airflow(
            Settings.load(),
            """
            select 1 from task_instance as build
            inner join task_instance_history as before using (dag_id, run_id)
            where build.dag_id = %s and build.run_id = %s and build.task_id = %s and build.end_date is not null
            and before.task_id = %s and before.end_date >= build.start_date
            """,
            (task.dag_id, task.run_id, BUILD, task.task_id),
        )
    )


_polls: dict[tuple[str, str], tuple[float, tuple[str | None, dict[str, Any]]]] = {}
_lock = asyncio.Lock()


async def _build_report(run: tuple[str, str]) -> tuple[str | None, dict[str, Any]]:
    """Return the state of the run's build and its report on the models, read once per POLL_SECONDS for all models."""
    async with _lock:
        now = asyncio.get_running_loop().time()
        if run not in _polls or now - _polls[run][0] >= POLL_SECONDS:
            for old in [key for key, (asked_at, _) in _polls.items() if now - asked_at > FORGET_SECONDS]:
                del _polls[old]
            # The state is read first, so that the report is as new as the state or newer.
            _polls[run] = (now, (await _state_of_build(run), await _models(run)))
        return _polls[run][1]


async def _models(run: tuple[str, str]) -> dict[str, Any]:
    dag_id, run_id = run
    return await XCom.aget_one(key=BUILT, task_id=BUILD, dag_id=dag_id, run_id=run_id) or {}


async def _state_of_build(run: tuple[str, str]) -> str | None:
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    dag_id, run_id = run
    states = await sync_to_async(RuntimeTaskInstance.get_task_states)(dag_id=dag_id, task_ids=[BUILD], run_ids=[run_id])
    state = states.get(run_id, {}).get(BUILD)
    return None if state is None else str(state)
