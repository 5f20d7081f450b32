"""Shows each dbt model as an Airflow task with the model's result in the run's single `dbt build`.

Such a task runs nothing: the scheduler marks it as done when the build ends. Its XCom holds the model's result and is written
while the build runs. docs/decisions/models-as-tasks.md has the reasons.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk.execution_time.xcom import XCom

from yingjian.pipeline import MODEL_TASK

RESULT = "result"  # This is the key of a model task's XCom, which holds state, seconds and rows.


class ModelTask(EmptyOperator):
    """Succeeds when the build has built every model; upstream_failed if the build failed.

    It has no failure callback: only the task `build` alerts the team about a failed build.
    """

    def __init__(self, **arguments: Any) -> None:
        super().__init__(retries=0, on_failure_callback=None, **arguments)


def as_task(*, task_id: str, dag: Any, task_group: Any, **_: Any) -> ModelTask:
    """Convert a model node for Cosmos (`RenderConfig.node_converters`)."""
    return ModelTask(task_id=task_id, dag=dag, task_group=task_group)


def task_of(model: str) -> str:
    """Return the task id that Cosmos gives to a model (dbt's unique id)."""
    return f"{MODEL_TASK}{model.rpartition('.')[2]}_run"


def teller(task: Any) -> Callable[[dict[str, Any]], None]:
    """Return a function that writes models' results (by dbt's unique id) to their tasks' XComs, each result once.

    task: the running task instance of the build.
    """
    written: dict[str, Any] = {}

    def tell(results: dict[str, Any]) -> None:
        for name, result in results.items():
            if name.startswith("model.") and written.get(name) != result:
                XCom.set(RESULT, result, dag_id=task.dag_id, task_id=task_of(name), run_id=task.run_id)
                written[name] = result

    return tell
