"""Tasks that ask officials with a right for a decision. A question has a deadline and blocks no other run.

The question is a row of `publishing.question`; an official answers it in the portal, which writes a row of
`publishing.decision`. The task is deferred until there is a decision, the deadline has passed, or newer events make the
question moot. Officials with the right are told at once, deputies after some hours, and all of them repeatedly until there is
an answer.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from importlib import import_module
from typing import Any, ClassVar

from airflow.providers.standard.utils.skipmixin import SkipMixin
from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, DownstreamTasksSkipped

from yingjian import clock
from yingjian.database import warehouse
from yingjian.orchestration import delivery_tasks, tasks
from yingjian.orchestration.notices import first_line
from yingjian.orchestration.polling import PollingTrigger
from yingjian.publishing import decision
from yingjian.publishing.decision import Answer
from yingjian.settings import Settings


class UnansweredError(AirflowFailException):
    """Raised when nobody answered in time."""

    may_be_told = True


class UndecidedError(AirflowFailException):
    """Raised when an answer is not valid as a decision; a retry cannot help."""

    may_be_told = True


class ApprovalByRight(BaseOperator, SkipMixin):
    """Asks the officials with `right` and their deputies, by the directory at run time.

    A subclass defines the subject of the question, the recipients, when it is moot, and its deadline. After an approval the
    downstream tasks run; a rejection or a moot question skips them; the task fails if nobody answered in time, or if the person
    who answered no longer has the right.
    """

    right: ClassVar[str]

    def about(self, context: Any) -> dict[str, Any]:
        """Return the subject of the question: `build_token` or `publication_id`."""
        raise NotImplementedError

    def day(self, context: Any) -> date:
        """Return the business date that the question is about."""
        raise NotImplementedError

    def subject_of(self, context: Any, asked_at: datetime) -> dict[str, Any]:
        """Return the JSON-serialisable arguments of `superseded_by`."""
        raise NotImplementedError

    @staticmethod
    def superseded_by(settings: Settings, **subject: Any) -> str | None:
        """Return why the question is moot; None while it is not.

        The triggerer calls this every few seconds.
        """
        raise NotImplementedError

    def ends_at(self, context: Any, asked_at: datetime) -> datetime:
        raise NotImplementedError

    def tell(self, what: str, occasion: str, link: str, context: Any, *, deputies: bool) -> dict[str, int]:
        """Send a request, a reminder or the notice of expiry; return the number of messages by state."""
        raise NotImplementedError

    def on_reject(self, context: Any) -> None:
        """Handle a rejection, before the downstream tasks are skipped."""

    def on_expiry(self, context: Any) -> None:
        """Handle the expiry, before the task fails."""

    def execute(self, context: Any) -> None:
        task = context["ti"]
        is_first_try = task.try_number <= task.max_tries - (self.retries or 0) + 1
        with warehouse.connect(Settings.load(), "publisher") as conn:
            asked = None if is_first_try else decision.newest(conn, self.right, task.run_id)
            if asked is None:
                asked_at = datetime.now(UTC)
                question_id = decision.ask(
                    conn, self.right, task.run_id, self.day(context), asked_at, self.ends_at(context, asked_at),
                    **self.about(context),
                )  # fmt: skip
        if asked:  # The previous try died after it had asked, so the question may be open, answered, moot or expired.
            self.go_on(context, asked.question_id, asked.asked_at.isoformat(), 1)
            return
        self._tell("request", context, question_id, "", deputies=False)
        self._wait(context, question_id, asked_at, 1)

    def go_on(
        self, context: Any, question_id: int, asked_at: str, told: int, event: dict[str, Any] | None = None
    ) -> None:
        """Resume after the trigger fired. The state is read from the warehouse, never from the event."""
        if answer := self._answer(question_id):
            self._finish(context, answer)
            return
        settings, begun = Settings.load(), datetime.fromisoformat(asked_at)
        if why := self.superseded_by(settings, **self.subject_of(context, begun)):
            self._close(question_id, "superseded")
            with suppress(DownstreamTasksSkipped):  # Downstream tasks are skipped, and this one too.
                self._skip_next(context)
            raise AirflowSkipException(f"superseded, nobody needs to answer any more: {why}")
        now = datetime.now(UTC)
        if now >= self.ends_at(context, begun):
            self._close(question_id, "expired")
            self.on_expiry(context)
            self._tell("expiry", context, question_id, "", deputies=True)
            raise UnansweredError(f"nobody answered {context['ti'].task_id} in time")
        if now >= self._next_at(settings, begun, told):
            self._tell("reminder", context, question_id, f"#{told + 1}", deputies=True)
            told += 1
        self._wait(context, question_id, begun, told)

    def _wait(self, context: Any, question_id: int, asked_at: datetime, told: int) -> None:
        wake_at = min(self.ends_at(context, asked_at), self._next_at(Settings.load(), asked_at, told))
        trigger = QuestionTrigger(
            question_id,
            f"{type(self).__module__}.{type(self).__qualname__}",
            self.subject_of(context, asked_at),
            wake_at.isoformat(),
        )
        self.defer(
            trigger=trigger,
            method_name="go_on",
            kwargs={"question_id": question_id, "asked_at": asked_at.isoformat(), "told": told},
        )

    def _next_at(self, settings: Settings, asked_at: datetime, told: int) -> datetime:
        hours = settings.deputies_after_hours + (told - 1) * settings.remind_every_hours
        return asked_at + timedelta(hours=hours)

    def _answer(self, question_id: int) -> Answer | None:
        with warehouse.connect(Settings.load(), "publisher") as conn:
            return decision.answer_of(conn, question_id)

    def _close(self, question_id: int, because: str) -> None:
        with warehouse.connect(Settings.load(), "publisher") as conn:
            decision.close(conn, question_id, because)

    def _finish(self, context: Any, answer: Answer) -> None:
        """Act on an answer. The right is checked again, since it may have been revoked meanwhile."""
        if answer.login not in tasks.who_may(self.right):
            raise UndecidedError("the answer is by somebody who may not give it any more: it decides nothing")
        self.log.info("%s by %s", "approved" if answer.is_released else "rejected", answer.login)
        if not answer.is_released:
            self.on_reject(context)  # This comes first, because `skip` raises an exception.
            self._skip_next(context)

    def _skip_next(self, context: Any) -> None:
        self.skip(ti=context["ti"], tasks=context["task"].get_direct_relatives(upstream=False))

    def _tell(self, what: str, context: Any, question_id: int, number: str, *, deputies: bool) -> None:
        """Send a message to the officials.

        An error is only logged, because others may still answer; the watch tells the team that a question waits.
        """
        task = context["ti"]
        cleared = max(0, task.max_tries - (self.retries or 0))  # A cleared task asks again.
        occasion = f"{task.dag_id}/{task.run_id}{f'/{cleared}' if cleared else ''}{number}"
        link = Settings.load().portal_link(f"/{decision.PATHS[self.right]}/{question_id}")
        try:
            states = self.tell(what, occasion, link, context, deputies=deputies)
            self.log.info("%s: %s", what, states or "nobody of officials.yml can be told; the data team is")
        except Exception as error:
            self.log.error("%s did not reach everybody: %s", what, first_line(error))


class ReleaseByHand(ApprovalByRight):
    """Asks whether to publish a build that failed its audit; open until the next midnight or the next run."""

    right = decision.RELEASE

    def about(self, context: Any) -> dict[str, Any]:
        return {"build_token": tasks.build_of(context["run_id"])}

    def day(self, context: Any) -> date:
        return tasks.business_date(context)

    def subject_of(self, context: Any, asked_at: datetime) -> dict[str, Any]:
        return {"run_id": context["run_id"]}

    @staticmethod
    def superseded_by(settings: Settings, **subject: Any) -> str | None:
        return tasks.why_build_is_lost(settings, subject["run_id"])

    def ends_at(self, context: Any, asked_at: datetime) -> datetime:
        return clock.midnight(asked_at) + timedelta(days=1)

    def tell(self, what: str, occasion: str, link: str, context: Any, *, deputies: bool) -> dict[str, int]:
        day = tasks.business_date(context)
        return delivery_tasks.tell_releasers(
            what, day, occasion, link, tasks.failed_checks(context["run_id"]), deputies=deputies
        )


class SignOff(ApprovalByRight):
    """Asks whether to release public figures (article 31); open for `time_limit_hours` or until a newer publication."""

    right = decision.SIGN_OFF

    def about(self, context: Any) -> dict[str, Any]:
        return {"publication_id": tasks.publication_of(context)}

    def day(self, context: Any) -> date:
        return delivery_tasks.day_of(tasks.publication_of(context))

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


@dataclass(eq=False, repr=False)
class QuestionTrigger(PollingTrigger):
    """Fires when a question is answered or moot, or at `wake_at` (ISO time).

    The operator reads the outcome from the warehouse. asker: path of the operator's class; subject: arguments of its
    `superseded_by`.
    """

    question_id: int
    asker: str
    subject: dict[str, Any]
    wake_at: str

    def is_over(self) -> bool:
        settings = Settings.load()
        return (
            datetime.now(UTC) >= datetime.fromisoformat(self.wake_at)
            or self._is_answered(settings)
            or self._asker().superseded_by(settings, **self.subject) is not None
        )

    def _is_answered(self, settings: Settings) -> bool:
        with warehouse.connect(settings, "publisher") as conn:
            return decision.answer_of(conn, self.question_id) is not None

    def _asker(self) -> type[ApprovalByRight]:
        module, _, name = self.asker.rpartition(".")
        asker: type[ApprovalByRight] = getattr(import_module(module), name)
        return asker

    def look(self) -> dict[str, Any] | None:
        return {} if self.is_over() else None
