"""A failure of a task's own counts; what Airflow counts besides (a lost worker) does not use it up."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from airflow.sdk.definitions.retry_policy import RetryAction

from yingjian.orchestration.tries import OwnFailures, tried_again


def outcomes(context: dict[str, Any], tries: list[tuple[int, int]]) -> list[RetryAction]:
    """The function computes the tries (try_number, max_tries) that each end by an exception."""
    policy = OwnFailures(1)
    return [policy.evaluate(ValueError(), number, most, context).action for number, most in tries]  # type: ignore[arg-type]


def test_the_second_failure_of_its_own_is_the_last_whatever_was_interrupted_between() -> None:
    values: dict[str, Any] = {}
    context = {"task_state_store": SimpleNamespace(get=values.get, set=values.__setitem__)}
    assert outcomes(context, [(1, 6), (4, 6)]) == [RetryAction.DEFAULT, RetryAction.FAIL]
    assert outcomes(context, [(5, 10), (6, 10)]) == [RetryAction.DEFAULT, RetryAction.FAIL], (
        "cleared: all its tries again"
    )
    assert tried_again()["retries"] > 3
