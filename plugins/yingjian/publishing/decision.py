"""A person may release a build that failed its audit. The decision is a row of the warehouse, about one build.

Publishing reads the row and asks again whether the person has the right. What a task handed on decides nothing, nor does
a task that somebody marked as successful.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from yingjian.privacy import audit_trail
from yingjian.publishing import build as builds


class NotDecidedError(RuntimeError):
    """The answer decides nothing about the build that the run owns."""

    may_be_told = True


@dataclass(frozen=True)
class Release:
    """A release says why a build that failed its audit is published, and who decided it: name and login."""

    reason: str
    released_by: str
    login: str


def decide(
    conn: psycopg.Connection[Any],
    run_id: str,
    *,
    login: str,
    name: str,
    is_released: bool,
    reason: str,
    answered_at: datetime,
    allowed: Collection[str],
) -> None:
    """Put an answer about the build of a run on record and into the audit trail, once.

    Raises NotOwnerError when the run owns no build; NotDecidedError when `login` is not among `allowed`, when a release
    has no reason, or when the answer is older than the findings of this build.
    """
    if login not in allowed:
        raise NotDecidedError("the answer is by somebody who may not release a build: nothing is published")
    if is_released and not reason:
        raise NotDecidedError("a release needs a reason: nothing is published")
    with conn.transaction():
        build = builds.owned(conn, run_id)
        found = conn.execute(
            "select max(checked_at) < %s from quality.check_result where build_token = %s", (answered_at, build.token)
        ).fetchone()
        if found != (True,):
            raise NotDecidedError(
                "the answer was given before this build was audited: clear release_by_hand to ask again"
            )
        made = conn.execute(
            """
            insert into publishing.decision (build_token, decided_by, name, is_released, reason, answered_at)
            values (%s, %s, %s, %s, %s, %s) on conflict do nothing
            """,
            (build.token, login, name, is_released, reason or None, answered_at),
        )
        if made.rowcount:
            audit_trail.record(
                conn, login, "release_decision", f"build:{build.build_id}", reason or None, is_released=is_released
            )


def release_of(conn: psycopg.Connection[Any], build: builds.Build, allowed: Collection[str]) -> Release | None:
    """Return the last decision about a build if it released it and the person is still among `allowed`; else None."""
    row = conn.execute(
        """
        select is_released, reason, name, decided_by from publishing.decision
        where build_token = %s order by decision_id desc limit 1
        """,
        (build.token,),
    ).fetchone()
    if row is None or not row[0] or not row[1] or row[3] not in allowed:
        return None
    return Release(*row[1:])
