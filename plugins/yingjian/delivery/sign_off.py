"""Officials sign off public figures (article 31). This module says who may, records decisions, and reads the result."""

from __future__ import annotations

from typing import Any

import psycopg

from yingjian.people.officials import ADMIN, Officials
from yingjian.privacy import audit_trail


def who_may(officials: Officials, right: str) -> list[str]:
    """Return the logins whose answer counts.

    They are the officials with the right and their deputies. If there are none, it is the administrator, so that a town
    without a directory of officials is not stuck.
    """
    return [official.login for official in officials.who_may_answer(right)] or [ADMIN]


def decide(
    conn: psycopg.Connection[Any],
    publication_id: int,
    *,
    login: str,
    approves: bool,
    reason: str,
    run_key: str,
    allowed: list[str],
) -> str:
    """Record an answer, also in the audit trail, once per `run_key`; return `released` or `rejected`.

    Raises ValueError when `login` is not among `allowed`, or when a newer publication of the same day replaces the
    released one.
    """
    if login not in allowed:
        raise ValueError("the public figures were signed off by somebody who may not: nothing is released")
    decision = "released" if approves else "rejected"
    with conn.transaction():
        newer = _newer(conn, publication_id)
        if decision == "released" and newer is not None:
            raise ValueError(
                f"publication {publication_id} was replaced by {newer} of the same day: sign that one off instead"
            )
        if _put(conn, publication_id, decision, login, reason or None, run_key):
            audit_trail.record(
                conn, login, "sign_off", f"publication:{publication_id}", reason or None, decision=decision
            )
    return decision


def is_released(conn: psycopg.Connection[Any], publication_id: int) -> bool:
    """Return whether the last decision about a publication released its public figures; expired questions do not count."""
    row = conn.execute(
        """
        select decision = 'released' from published.public_release
        where publication_id = %s and decision <> 'expired'
        order by decision_id desc limit 1
        """,
        (publication_id,),
    ).fetchone()
    return bool(row and row[0])


def expire(conn: psycopg.Connection[Any], publication_id: int, run_key: str) -> None:
    """Record that nobody answered in time; the public still sees the previous figures."""
    with conn.transaction():
        if _put(conn, publication_id, "expired", None, None, run_key):
            audit_trail.record(conn, "public_release", "sign_off", f"publication:{publication_id}", decision="expired")


def _put(
    conn: psycopg.Connection[Any], publication_id: int, decision: str, person: str | None, reason: str | None, run: str
) -> bool:
    return (
        conn.execute(
            """
            insert into published.public_release (publication_id, decision, decided_by, reason, run_key)
            values (%s, %s, %s, %s, %s) on conflict (run_key) do nothing
            """,
            (publication_id, decision, person, reason, run),
        ).rowcount
        > 0
    )


def _newer(conn: psycopg.Connection[Any], publication_id: int) -> int | None:
    row = conn.execute(
        """
        select max(newer.publication_id) from published.publication as newer
        inner join published.publication as mine on newer.as_of_date = mine.as_of_date
        where mine.publication_id = %(id)s and newer.publication_id > %(id)s
        """,
        {"id": publication_id},
    ).fetchone()
    return int(row[0]) if row and row[0] is not None else None
