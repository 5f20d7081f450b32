"""What the task of a model shows, from what its build says."""

from __future__ import annotations

import pytest

from yingjian.model_tasks import ModelTask, ModelTrigger, verdict


@pytest.mark.parametrize(
    ("build", "model", "ended"),
    [
        (None, None, None),
        ("queued", None, None),
        ("queued", "success", None),  # What an earlier try of the build said.
        ("running", None, None),
        ("running", "success", True),
        ("running", "error", None),  # The build may be tried again.
        ("up_for_retry", "error", None),
        ("up_for_retry", "skipped", None),
        ("success", "success", True),
        ("failed", "success", True),
        ("failed", "error", False),
        ("failed", "skipped", False),
        ("failed", None, False),  # The build was killed before it came to the model.
        ("upstream_failed", None, False),
        ("success", None, False),
    ],
)
def test_a_model_ends_when_the_build_has_made_it_or_is_over(
    build: str | None, model: str | None, ended: bool | None
) -> None:
    assert verdict(build, model) is ended


def test_the_task_waits_in_the_triggerer_for_its_own_model() -> None:
    task = ModelTask(task_id="due_run", model="model.yingjian.due")
    assert task.start_from_trigger
    assert task.start_trigger_args.trigger_kwargs == {"model": "model.yingjian.due"}
    assert ModelTrigger("model.yingjian.due").serialize() == (
        task.start_trigger_args.trigger_cls,
        task.start_trigger_args.trigger_kwargs,
    )
