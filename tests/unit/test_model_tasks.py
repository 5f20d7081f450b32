"""The task of a model shows this, from what its build says."""

from __future__ import annotations

import pytest
from airflow.sdk import TriggerRule
from airflow.triggers.base import BaseTaskEndEvent, TaskFailedEvent, TaskSkippedEvent, TaskSuccessEvent

from yingjian.orchestration.model_tasks import ModelTask, ModelTrigger, verdict


@pytest.mark.parametrize(
    ("build", "model", "ended"),
    [
        (None, None, None),
        ("queued", None, None),
        ("queued", "success", None),  # An earlier try of the build said so.
        ("running", None, None),
        ("running", "success", TaskSuccessEvent),
        ("running", "error", None),  # The build may be tried again.
        ("up_for_retry", "error", None),
        ("up_for_retry", "skipped", None),
        ("success", "success", TaskSuccessEvent),
        ("failed", "success", TaskSuccessEvent),
        ("failed", "error", TaskFailedEvent),
        ("failed", "skipped", TaskSkippedEvent),
        ("failed", None, TaskSkippedEvent),  # The build was killed before it came to the model.
        ("upstream_failed", None, TaskSkippedEvent),
        ("success", None, TaskSkippedEvent),
    ],
)
def test_a_model_ends_when_the_build_has_made_it_or_is_over(
    build: str | None, model: str | None, ended: type[BaseTaskEndEvent] | None
) -> None:
    """Only a model that failed is red."""
    event = verdict(build, model)
    assert (event and event[0]) is ended


@pytest.mark.parametrize(("is_first", "rule"), [(True, TriggerRule.ALWAYS), (False, TriggerRule.ALL_SUCCESS)])
def test_the_task_waits_in_the_triggerer_for_its_own_model(is_first: bool, rule: TriggerRule) -> None:
    """A model without a model before it follows a build that goes on; what waits for a failed one is upstream_failed."""
    task = ModelTask(task_id="due_run", model="model.yingjian.due", is_first=is_first)
    assert task.trigger_rule == rule
    assert task.start_from_trigger
    assert task.start_trigger_args.trigger_kwargs == {"model": "model.yingjian.due"}
    assert ModelTrigger("model.yingjian.due").serialize() == (
        task.start_trigger_args.trigger_cls,
        task.start_trigger_args.trigger_kwargs,
    )
