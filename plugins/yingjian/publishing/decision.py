"""Questions of a run to authorised persons, and their decisions; both are rows of the warehouse.

The portal writes the decision as the role `portal`, the only one that may. Publishing and the release of public figures read
that row and check again whether the person has the right. An XCom value, or a task marked as successful by hand, decides
nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from yingjian.pipeline import Dag, Task
from yingjian.privacy import audit_trail
from yingjian.publishing import build as builds

RELEASE, SIGN_OFF = "release", "sign_off"
PATHS = {RELEASE: "release", SIGN_OFF: "sign-off"}  # The portal's URL path of a question starts with this.
# The DAG and the task that ask each question.
ASKED_BY = {RELEASE: (Dag.DAILY, Task.RELEASE_BY_HAND), SIGN_OFF: (Dag.PUBLIC_RELEASE, Task.SIGN_OFF)}
# The audit trail records the decisions under these names.
ACTIONS = {RELEASE: "release_decision", SIGN_OFF: "sign_off_decision"}


class NotDecidedError(RuntimeError):
    """Raised when an answer is not valid as a decision."""

    may_be_told = True


class NotOpenError(NotDecidedError):
    """Raised when the question was already answered or has ended."""


class NoReasonError(NotDecidedError):
    """Raised when a decision lacks the reason that it needs."""


@dataclass(frozen=True)
class Question:
    """A run asks about a build (`release`) or a publication (`sign_off`); the question is open until `ends_at`."""

    question_id: int
    needed_right: str
    run_id: str
    as_of_date: date
    build_token: UUID | None
    publication_id: int | None
    asked_at: datetime
    ends_at: datetime
    closed_at: datetime | None
    closed_because: str | None

    @property
    def is_open(self) -> bool:
        """Return whether the question has neither been closed nor expired; it may have an answer already."""
        return self.closed_at is None and datetime.now(UTC) < self.ends_at


@dataclass(frozen=True)
class Answer:
    """A person's decision. reason: empty if none was given."""

    login: str
    name: str
    is_released: bool
    reason: str
    answered_at: datetime


@dataclass(frozen=True)
class Release:
    """The release of a build that failed its audit: the reason, and the name and login of the person who decided."""

    reason: str
    released_by: str
    login: str


_QUESTION = f"select {', '.join(f'question.{name}' for name in Question.__dataclass_fields__)} from publishing.question"


def ask(
    conn: psycopg.Connection[Any],
    needed_right: str,
    run_id: str,
    as_of_date: date,
    asked_at: datetime,
    ends_at: datetime,
    *,
    build_token: str | None = None,
    publication_id: int | None = None,
) -> int:
    """Record a question; return its id. An earlier open question of the same run is closed."""
    with conn.transaction():
        conn.execute(
            """
            update publishing.question set closed_at = clock_timestamp(), closed_because = 'asked_again'
            where run_id = %s and needed_right = %s and closed_at is null
            and not exists (select from publishing.decision where decision.question_id = question.question_id)
            """,
            (run_id, needed_right),
        )
        row = conn.execute(
            """
            insert into publishing.question (
                needed_right, run_id, as_of_date, asked_at, ends_at, build_token, publication_id
            )
            values (%s, %s, %s, %s, %s, %s, %s) returning question_id
            """,
            (needed_right, run_id, as_of_date, asked_at, ends_at, build_token, publication_id),
        ).fetchone()
    assert row is not None
    return int(row[0])


def close(conn: psycopg.Connection[Any], question_id: int, because: str) -> None:
    """Close a question without an answer. because: superseded or expired."""
    with conn.transaction():
        conn.execute(
            """
            update publishing.question set closed_at = clock_timestamp(), closed_because = %s
            where question_id = %s and closed_at is null
            """,
            (because, question_id),
        )


def question(conn: psycopg.Connection[Any], question_id: int) -> Question | None:
    with conn.cursor(row_factory=class_row(Question)) as cursor:
        return cursor.execute(f"{_QUESTION} where question_id = %s", (question_id,)).fetchone()  # type: ignore[arg-type]


def newest(conn: psycopg.Connection[Any], needed_right: str, run_id: str) -> Question | None:
    """Return a run's newest question for a right; None if it has asked none."""
    with conn.cursor(row_factory=class_row(Question)) as cursor:
        return cursor.execute(
            f"{_QUESTION} where run_id = %s and needed_right = %s order by question_id desc limit 1",  # type: ignore[arg-type]
            (run_id, needed_right),
        ).fetchone()


def open_questions(conn: psycopg.Connection[Any]) -> list[Question]:
    """Return the questions that may still be answered, oldest first."""
    with conn.cursor(row_factory=class_row(Question)) as cursor:
        return cursor.execute(
            f"""
            {_QUESTION}
            left join publishing.decision on decision.question_id = question.question_id
            where question.closed_at is null and question.ends_at > clock_timestamp() and decision.decision_id is null
            order by question.question_id
            """  # type: ignore[arg-type]
        ).fetchall()


def answer_of(conn: psycopg.Connection[Any], question_id: int) -> Answer | None:
    """Return the answer to a question; None if nobody has answered."""
    with conn.cursor(row_factory=class_row(Answer)) as cursor:
        return cursor.execute(
            """
            select decided_by as login, name, is_released, coalesce(reason, '') as reason, answered_at
            from publishing.decision where question_id = %s
            """,
            (question_id,),
        ).fetchone()


def needs_reason(needed_right: str, is_released: bool) -> bool:
    """Return whether a decision needs a reason: a release by hand, which the report shows, and every refusal."""
    return needed_right == RELEASE or not is_released


def decide(
    conn: psycopg.Connection[Any],
    question_id: int,
    *,
    login: str,
    name: str,
    is_released: bool,
    reason: str,
    allowed: Collection[str],
) -> None:
    """Record a decision, once per question, and write it to the audit trail.

    Raises NotDecidedError if `login` is not in `allowed`; NoReasonError if the reason is missing; NotOpenError if the question
    was answered already or has ended.
    """
    with conn.transaction():
        about = question(conn, question_id)
        if about is None or login not in allowed:
            raise NotDecidedError("the answer is by somebody who may not give it: nothing is decided")
        if needs_reason(about.needed_right, is_released) and not audit_trail.is_reason(reason):
            raise NoReasonError("the decision needs a reason: nothing is decided")
        inserted = conn.execute(
            """
            insert into publishing.decision (
                question_id, build_token, publication_id, decided_by, name, is_released, reason, answered_at
            )
            select question_id, build_token, publication_id, %(login)s, %(name)s, %(is_released)s, %(reason)s, clock_timestamp()
            from publishing.question
            where question_id = %(question)s and closed_at is null and ends_at > clock_timestamp()
            on conflict do nothing
            """,
            {
                "question": question_id,
                "login": login,
                "name": name,
                "is_released": is_released,
                "reason": reason or None,
            },
        )
        if not inserted.rowcount:
            raise NotOpenError("the question was answered already or is over: nothing is decided")
        audit_trail.record(
            conn,
            login,
            ACTIONS[about.needed_right],
            f"question:{question_id}",
            reason or None,
            is_released=is_released,
            business_date=about.as_of_date.isoformat(),
        )


def release_of(conn: psycopg.Connection[Any], build: builds.Build, allowed: Collection[str]) -> Release | None:
    """Return the release of a build, if the last decision released it and its author is still in `allowed`; else None.

    A decision older than this build's audit findings does not count, since it was about other findings.
    """
    row = conn.execute(
        """
        select is_released, reason, name, decided_by from publishing.decision
        where build_token = %(token)s and answered_at > (
            select max(checked_at) from quality.check_result where build_token = %(token)s
        )
        order by decision_id desc limit 1
        """,
        {"token": build.token},
    ).fetchone()
    if row is None or not row[0] or not row[1] or row[3] not in allowed:
        return None
    return Release(*row[1:])
