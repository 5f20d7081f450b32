"""Every dbt model as a task of its own that shows what the run's one `dbt build` made of it.

The tasks wait in Airflow's triggerer, all of one run on one poll: no process, no worker slot and no import is paid per
model. Why: docs/decisions/models-as-tasks.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.sdk import BaseOperator, TriggerRule
from airflow.sdk.execution_time.xcom import XCom
from airflow.triggers.base import BaseTrigger, StartTriggerArgs, TaskFailedEvent, TaskSuccessEvent, TriggerEvent
from asgiref.sync import sync_to_async

BUILD = "build"  # The task that runs dbt, and the key under which it says what became of each model.
BUILT = "models"
POLL_SECONDS = 2.0
FORGET_SECONDS = 600.0

# Before it runs, a build that was cleared still has what its earlier try said.
_HAS_BEGUN = frozenset({"running", "up_for_retry", "success", "failed"})
_IS_OVER = frozenset({"success", "failed", "upstream_failed", "skipped", "removed"})


class ModelTask(BaseOperator):
    """Succeeds when the build has made the model, fails when the build is over without it.

    It starts with the run and waits for no other task (dbt knows the order); the edges between models are for people.
    Of a failed build one task tells: `build`.
    """

    start_from_trigger = True

    def __init__(self, *, model: str, **arguments: Any) -> None:
        super().__init__(trigger_rule=TriggerRule.ALWAYS, retries=0, on_failure_callback=None, **arguments)
        self.start_trigger_args = StartTriggerArgs(
            trigger_cls=f"{ModelTrigger.__module__}.{ModelTrigger.__qualname__}",
            trigger_kwargs={"model": model},
            next_method="execute",
        )
        self.model = model

    def execute(self, context: Any) -> None:
        self.defer(trigger=ModelTrigger(self.model), method_name="execute")


def as_task(*, task_id: str, node: Any, dag: Any, task_group: Any, **_: Any) -> ModelTask:
    """Cosmos' converter of a model node (`RenderConfig.node_converters`)."""
    return ModelTask(task_id=task_id, model=node.unique_id, dag=dag, task_group=task_group)


class ModelTrigger(BaseTrigger):
    """Ends the task of `model` (dbt's unique id) as the build of its run says."""

    def __init__(self, model: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.model = model

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{type(self).__module__}.{type(self).__qualname__}", {"model": self.model}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        task: Any = self.task_instance
        run = (task.dag_id, task.run_id)
        while True:
            build, models = await _said_by(run)
            ended = verdict(build, models.get(self.model))
            if ended is not None:
                self.log.info("%s: %s (build: %s)", self.model, models.get(self.model, "not built"), build)
                yield TaskSuccessEvent() if ended else TaskFailedEvent()
                return
            await asyncio.sleep(POLL_SECONDS)


def verdict(build: str | None, model: str | None) -> bool | None:
    """Whether a model was made, from the state of the task `build` and what it said of the model; None: not known yet.

    A failed model counts only when the build is over: the build may be tried again.
    """
    if build in _HAS_BEGUN and model == "success":
        return True
    return False if build in _IS_OVER else None


_polls: dict[tuple[str, str], tuple[float, tuple[str | None, dict[str, str]]]] = {}
_lock = asyncio.Lock()


async def _said_by(run: tuple[str, str]) -> tuple[str | None, dict[str, str]]:
    """The state of the run's build and what it said of its models; asked once per POLL_SECONDS for all models."""
    async with _lock:
        now = asyncio.get_running_loop().time()
        if run not in _polls or now - _polls[run][0] >= POLL_SECONDS:
            for old in [key for key, (asked_at, _) in _polls.items() if now - asked_at > FORGET_SECONDS]:
                del _polls[old]
            # The state first: what is said after it belongs to it or is newer.
            _polls[run] = (now, (await _state_of_build(run), await _models(run)))
        return _polls[run][1]


async def _models(run: tuple[str, str]) -> dict[str, str]:
    dag_id, run_id = run
    return await XCom.aget_one(key=BUILT, task_id=BUILD, dag_id=dag_id, run_id=run_id) or {}


async def _state_of_build(run: tuple[str, str]) -> str | None:
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    dag_id, run_id = run
    states = await sync_to_async(RuntimeTaskInstance.get_task_states)(dag_id=dag_id, task_ids=[BUILD], run_ids=[run_id])
    state = states.get(run_id, {}).get(BUILD)
    return None if state is None else str(state)
