"""This module limits the tries of a task. Its own failures count, interruptions from outside do not.

docs/decisions/slow-is-not-dead.md has the reasons.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import Context
from airflow.sdk.definitions.retry_policy import RetryDecision, RetryPolicy

FAILURES = "failures"  # Airflow keeps the count under this key, with the task, from one try to the next.
INTERRUPTIONS = 5


class OwnFailures(RetryPolicy):
    """This policy repeats a task that failed by an exception of its own `retries` times.

    A try whose process, worker or scheduler was lost ends without an exception. Airflow counts it among the task's
    `retries` all the same, so `tried_again` gives the task more of them.
    """

    def __init__(self, retries: int = 1) -> None:
        self.retries = retries

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        store: Any = context["task_state_store"] if context else None
        if store is None:
            return RetryDecision.default()
        # A person who clears the task gives it all its tries again: Airflow then raises its max_tries.
        of_tries, failures = store.get(FAILURES, [max_tries, 0])
        failures = failures + 1 if of_tries == max_tries else 1
        store.set(FAILURES, [max_tries, failures])
        if failures > self.retries:
            return RetryDecision.fail(f"it failed {failures} times by itself")
        return RetryDecision.default()


def tried_again() -> dict[str, Any]:
    """Return the arguments of a task, or of all tasks of a DAG, that is repeated once after a failure of its own."""
    return {"retries": 1 + INTERRUPTIONS, "retry_policy": OwnFailures(1)}
