"""A task may ask the officials to whom the directory gives a right. The question has an end and blocks no other run.

A task that asks is deferred until it is answered, until its time is over, or until something newer makes the question
moot. Airflow's API takes the answer; Airflow's own record of it decides (orchestration/answers.py). The officials who
may answer are told at once, deputies after some hours, and all of them again until there is an answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any, ClassVar

import psycopg
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, DownstreamTasksSkipped
from airflow.sdk.execution_time.hitl import upsert_hitl_detail
from airflow.triggers.base import BaseTrigger, TriggerEvent

from yingjian import clock
from yingjian.orchestration import delivery_tasks, tasks
from yingjian.orchestration.answers import APPROVE, REJECT, Answer, answer_of
from yingjian.orchestration.notices import first_line, task_link
from yingjian.publishing.decision import NotDecidedError
from yingjian.settings import Settings

POLL_SECONDS = 5.0


class UnansweredError(AirflowFailException):
    """Nobody answered in time."""

    may_be_told = True


class UndecidedError(AirflowFailException):
    """The answer decides nothing; another try of the task does not help."""

    may_be_told = True


class ApprovalByRight(ApprovalOperator):
    """This operator asks the officials with `right` and their deputies, as the directory is at run time.

    A subclass gives the question, the recipients, the reasons that make it moot, and its end. After an approval the
    next tasks run; a rejection or a newer state of things skips them; and the task fails when nobody answered in time.
    """

    right: ClassVar[str]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(subject="", **kwargs)

    def question(self, context: Any) -> tuple[str, str]:
        """Return subject and body of the question, as Airflow shows them."""
        raise NotImplementedError

    def subject_of(self, context: Any, asked_at: datetime) -> dict[str, Any]:
        """Return the facts, of JSON's types, from which `superseded_by` knows the subject of the question."""
        raise NotImplementedError

    @staticmethod
    def superseded_by(settings: Settings, **subject: Any) -> str | None:
        """Return in a sentence why the question is moot; None while it is open.

        The triggerer calls this every few seconds.
        """
        raise NotImplementedError

    def ends_at(self, context: Any, asked_at: datetime) -> datetime:
        raise NotImplementedError

    def tell(self, what: str, occasion: str, link: str, context: Any, *, deputies: bool) -> dict[str, int]:
        """Send a request, a reminder or the expiry; return how many messages are in each state."""
        raise NotImplementedError

    def on_answer(self, context: Any) -> None:
        """Put an answer on record before the next tasks run or are skipped."""

    def on_reject(self, context: Any) -> None:
        """Act on a rejection before the next tasks are skipped."""

    def on_expiry(self, context: Any) -> None:
        """Act on the expiry before the task fails."""

    def execute(self, context: Any) -> Any:
        task = context["ti"]
        is_first_try = task.try_number <= task.max_tries - (self.retries or 0) + 1
        if not is_first_try and (answer := self._answer(context)):  # The process died after the question was answered.
            return self._finish(context, answer)
        self.assigned_users = tasks.who_may(self.right)  # type: ignore[assignment]
        self.subject, self.body = self.question(context)
        upsert_hitl_detail(
            ti_id=task.id,
            options=self.options,
            subject=self.subject,
            body=self.body,
            defaults=None,
            multiple=False,
            params=self.serialized_params,
            assigned_users=self.assigned_users,
        )
        self._tell("request", context, "", deputies=False)
        self._wait(context, datetime.now(UTC), 1)

    def go_on(self, context: Any, asked_at: str, told: int, event: dict[str, Any] | None = None) -> Any:
        """Continue after an event. The record says what happened, never the event itself."""
        if answer := self._answer(context):
            return self._finish(context, answer)
        settings, begun = Settings.load(), datetime.fromisoformat(asked_at)
        if why := self.superseded_by(settings, **self.subject_of(context, begun)):
            with suppress(DownstreamTasksSkipped):  # The next tasks are skipped, and this one too.
                self.skip(ti=context["ti"], tasks=context["task"].get_direct_relatives(upstream=False))
            raise AirflowSkipException(f"superseded, nobody needs to answer any more: {why}")
        now = datetime.now(UTC)
        if now >= self.ends_at(context, begun):
            self.on_expiry(context)
            self._tell("expiry", context, "", deputies=True)
            raise UnansweredError(f"nobody answered {context['ti'].task_id} in time")
        if now >= self._next_at(settings, begun, told):
            self._tell("reminder", context, f"#{told + 1}", deputies=True)
            told += 1
        self._wait(context, begun, told)

    def _wait(self, context: Any, asked_at: datetime, told: int) -> None:
        task = context["ti"]
        wake_at = min(self.ends_at(context, asked_at), self._next_at(Settings.load(), asked_at, told))
        trigger = QuestionTrigger(
            [task.dag_id, task.run_id, task.task_id],
            f"{type(self).__module__}.{type(self).__qualname__}",
            self.subject_of(context, asked_at),
            wake_at.isoformat(),
        )
        self.defer(trigger=trigger, method_name="go_on", kwargs={"asked_at": asked_at.isoformat(), "told": told})

    def _next_at(self, settings: Settings, asked_at: datetime, told: int) -> datetime:
        hours = settings.deputies_after_hours + (told - 1) * settings.remind_every_hours
        return asked_at + timedelta(hours=hours)

    def _answer(self, context: Any) -> Answer | None:
        task = context["ti"]
        return answer_of(Settings.load(), task.dag_id, task.run_id, task.task_id)

    def _finish(self, context: Any, answer: Answer) -> Any:
        self.on_answer(context)
        if answer.chosen == REJECT:
            self.on_reject(context)  # This comes first, because Airflow skips the next tasks by an exception.
        event = {
            "chosen_options": [answer.chosen],
            "params_input": {"reason": answer.reason},
            "responded_at": answer.answered_at,
            "responded_by_user": {"id": answer.login, "name": answer.name},
        }
        self.log.info("%s by %s", "approved" if answer.chosen == APPROVE else "rejected", answer.login)
        return self.execute_complete(context, event)

    def _tell(self, what: str, context: Any, number: str, *, deputies: bool) -> None:
        """Tell the officials.

        An error is only logged, because others may still answer; the watch tells the team that one waits.
        """
        task = context["ti"]
        cleared = max(0, task.max_tries - (self.retries or 0))  # A task that was cleared asks anew.
        occasion = f"{task.dag_id}/{task.run_id}{f'/{cleared}' if cleared else ''}{number}"
        link = f"{task_link(Settings.load(), task.dag_id, task.run_id, task.task_id)}/required_actions"
        try:
            states = self.tell(what, occasion, link, context, deputies=deputies)
            self.log.info("%s: %s", what, states or "nobody of officials.yml can be told; the data team is")
        except Exception as error:
            self.log.error("%s did not reach everybody: %s", what, first_line(error))


class ReleaseByHand(ApprovalByRight):
    """This task asks whether to publish a build that failed its audit; until the next midnight, or the next run."""

    right = "release"

    def question(self, context: Any) -> tuple[str, str]:
        failed = tasks.failed_checks(context["run_id"])
        return "质量检查未通过：是否仍要发布？ Release a build that failed its audit?", "\n".join(failed)

    def subject_of(self, context: Any, asked_at: datetime) -> dict[str, Any]:
        return {"run_id": context["run_id"]}

    @staticmethod
    def superseded_by(settings: Settings, **subject: Any) -> str | None:
        return tasks.newer_run(settings, subject["run_id"])

    def ends_at(self, context: Any, asked_at: datetime) -> datetime:
        midnight = asked_at.astimezone(clock.SHANGHAI).replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight + timedelta(days=1)

    def on_answer(self, context: Any) -> None:
        try:
            tasks.record_release(context["run_id"])
        except NotDecidedError as error:
            raise UndecidedError(str(error)) from None

    def tell(self, what: str, occasion: str, link: str, context: Any, *, deputies: bool) -> dict[str, int]:
        day = tasks.business_date(context)
        return delivery_tasks.tell_releasers(
            what, day, occasion, link, tasks.failed_checks(context["run_id"]), deputies=deputies
        )


class SignOff(ApprovalByRight):
    """This task asks whether to release public figures (article 31); until `time_limit_hours`, or a newer publication."""

    right = "sign_off"

    def question(self, context: Any) -> tuple[str, str]:
        drafted = delivery_tasks.draft_bulletin(tasks.publication_of(context))
        return drafted["subject"], drafted["body"]

    def subject_of(self, context: Any, asked_at: datetime) -> dict[str, Any]:
        return {"publication_id": tasks.publication_of(context), "asked_at": asked_at.isoformat()}

    @staticmethod
    def superseded_by(settings: Settings, **subject: Any) -> str | None:
        asked_at = datetime.fromisoformat(subject["asked_at"])
        newer = delivery_tasks.newer_publication(settings, subject["publication_id"], asked_at)
        return f"publication {newer} is there" if newer is not None else None

    def ends_at(self, context: Any, asked_at: datetime) -> datetime:
        return asked_at + timedelta(hours=float(context["params"]["time_limit_hours"]))

    def tell(self, what: str, occasion: str, link: str, context: Any, *, deputies: bool) -> dict[str, int]:
        return delivery_tasks.tell_signatories(what, tasks.publication_of(context), occasion, link, deputies=deputies)

    def on_reject(self, context: Any) -> None:
        delivery_tasks.record_rejection(context)

    def on_expiry(self, context: Any) -> None:
        delivery_tasks.expire(tasks.publication_of(context), context["run_id"])


class QuestionTrigger(BaseTrigger):
    """This trigger fires when a question is answered or moot, or at a time.

    The operator reads from the record what happened.
    """

    def __init__(self, asked: list[str], asker: str, subject: dict[str, Any], wake_at: str) -> None:
        """Set asked: DAG, run and task; asker: the operator's class; subject: the arguments of its `superseded_by`."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.asked, self.asker, self.subject, self.wake_at = asked, asker, subject, wake_at

    def serialize(self) -> tuple[str, dict[str, Any]]:
        names = ("asked", "asker", "subject", "wake_at")
        return f"{type(self).__module__}.{type(self).__qualname__}", {name: getattr(self, name) for name in names}

    def is_over(self) -> bool:
        settings = Settings.load()
        return (
            datetime.now(UTC) >= datetime.fromisoformat(self.wake_at)
            or answer_of(settings, *self.asked) is not None
            or self._asker().superseded_by(settings, **self.subject) is not None
        )

    def _asker(self) -> type[ApprovalByRight]:
        module, _, name = self.asker.rpartition(".")
        asker: type[ApprovalByRight] = getattr(import_module(module), name)
        return asker

    async def run(self) -> AsyncIterator[TriggerEvent]:
        while True:
            try:
                if await asyncio.to_thread(self.is_over):
                    yield TriggerEvent({})  # type: ignore[no-untyped-call]
                    return
            except psycopg.OperationalError as error:  # The server is restarting.
                self.log.warning("the database does not answer: %s", type(error).__name__)
            await asyncio.sleep(POLL_SECONDS)
