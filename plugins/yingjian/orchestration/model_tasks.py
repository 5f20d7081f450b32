"""Every dbt model is a task of its own, which says what the run's one `dbt build` made of the model.

The task runs nothing: the scheduler ends it when the build has ended. The result of the model is its XCom, which the
build writes while it goes on. docs/decisions/models-as-tasks.md has the reasons.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk.execution_time.xcom import XCom

from yingjian.pipeline import MODEL_TASK

RESULT = "result"  # The XCom of a model's task has this key; it holds state, seconds and rows.


class ModelTask(EmptyOperator):
    """This task succeeds when the build has made every model, and is upstream_failed when the build failed.

    Only the task `build` alerts the team about a failed build.
    """

    def __init__(self, **arguments: Any) -> None:
        super().__init__(retries=0, on_failure_callback=None, **arguments)


def as_task(*, task_id: str, dag: Any, task_group: Any, **_: Any) -> ModelTask:
    """Convert a model node for Cosmos (`RenderConfig.node_converters`)."""
    return ModelTask(task_id=task_id, dag=dag, task_group=task_group)


def task_of(model: str) -> str:
    """Return the id of the task of a model (dbt's unique id), as Cosmos names it."""
    return f"{MODEL_TASK}{model.rpartition('.')[2]}_run"


def teller(task: Any) -> Callable[[dict[str, Any]], None]:
    """Return the function that writes the results of models, by dbt's unique ids, as XComs of their tasks, each once.

    task: the running task instance of the build.
    """
    written: dict[str, Any] = {}

    def tell(results: dict[str, Any]) -> None:
        for name, result in results.items():
            if name.startswith("model.") and written.get(name) != result:
                XCom.set(RESULT, result, dag_id=task.dag_id, task_id=task_of(name), run_id=task.run_id)
                written[name] = result

    return tell
