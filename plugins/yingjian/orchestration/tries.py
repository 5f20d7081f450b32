"""Retry policy of tasks: failures by an exception count, interruptions from outside do not.

docs/decisions/slow-is-not-dead.md has the reasons.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import Context
from airflow.sdk.definitions.retry_policy import RetryDecision, RetryPolicy

FAILURES = "failures"  # Airflow's task state store keeps the count under this key between tries.
INTERRUPTIONS = 5


class OwnFailures(RetryPolicy):
    """Retries a task up to `retries` times after exceptions of its own.

    If a try's process, worker or scheduler is lost, the try ends without an exception. Airflow still counts it against the
    task's `retries`, so `tried_again` grants the task more of them.
    """

    def __init__(self, retries: int = 1) -> None:
        self.retries = retries

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        store: Any = context["task_state_store"] if context else None
        if store is None:
            return RetryDecision.default()
        # Clearing the task resets its tries: Airflow then raises max_tries.
        of_tries, failures = store.get(FAILURES, [max_tries, 0])
        failures = failures + 1 if of_tries == max_tries else 1
        store.set(FAILURES, [max_tries, failures])
        if failures > self.retries:
            return RetryDecision.fail(f"it failed {failures} times by itself")
        return RetryDecision.default()


def tried_again() -> dict[str, Any]:
    """Return task arguments (or a DAG's default_args) for one retry after a failure of the task's own."""
    return {"retries": 1 + INTERRUPTIONS, "retry_policy": OwnFailures(1)}
