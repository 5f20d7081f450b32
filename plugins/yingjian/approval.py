"""Airflow's approval task, answered by whom the directory of officials gives the right."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator

from yingjian import tasks


class ApprovalByRight(ApprovalOperator):
    """Waits for one of the officials with `right` (for sign_off their deputies too), as the directory is at run time.

    `limit_param` names a parameter of the run: the hours after which the wait ends and the task fails. `on_reject` is
    called with the run's context when the answer is no: nothing that comes after the task runs then.
    """

    def __init__(
        self,
        *,
        right: str,
        limit_param: str | None = None,
        on_reject: Callable[[Any], object] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.right = right
        self.limit_param = limit_param
        self.on_reject = on_reject

    def execute(self, context: Any) -> Any:
        self.assigned_users = tasks.who_may(self.right)  # type: ignore[assignment]
        if self.limit_param is not None:
            self.response_timeout = timedelta(hours=float(context["params"][self.limit_param]))
        return super().execute(context)

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        # First: what a rejection skips, Airflow skips by an exception.
        if self.on_reject is not None and event.get("chosen_options") == [self.REJECT]:
            self.on_reject(context)
        return super().execute_complete(context, event)
