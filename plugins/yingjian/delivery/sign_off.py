"""Signing off public figures (article 31): who may, what was decided, and what the public sees afterwards."""

from __future__ import annotations

from typing import Any

import psycopg

from yingjian.delivery.recipients import signatories
from yingjian.officials import Officials
from yingjian.warehouse import audit_trail

APPROVE, REJECT = "Approve", "Reject"
ADMIN = "admin"


def who_may(officials: Officials, right: str) -> list[dict[str, str]]:
    """Whose answer Airflow takes, as its assigned users: id and name.

    For `sign_off` those with the right and their deputies, for another right those who have it; the administrator only
    where there is nobody, so that a town without a directory of officials is not stuck.
    """
    chosen = signatories(officials) if right == "sign_off" else officials.with_right(right)
    return [{"id": official.login, "name": official.name} for official in chosen] or [{"id": ADMIN, "name": ADMIN}]


def decide(
    conn: psycopg.Connection[Any], publication_id: int, answer: dict[str, Any] | None, run_key: str, allowed: list[str]
) -> str:
    """Put a decision on record, and into the audit trail, once per `run_key`; returns released or rejected.

    `answer` is that of Airflow's approval task. Raises ValueError when nobody answered, when somebody did who may not,
    or when a newer publication of the same day stands in the place of the released one.
    """
    chosen = (answer or {}).get("chosen_options")
    if chosen not in ([APPROVE], [REJECT]):
        raise ValueError("nobody signed the public figures off: nothing is released")
    person = str(((answer or {}).get("responded_by_user") or {}).get("id") or "")
    if person not in allowed:
        raise ValueError("the public figures were signed off by somebody who may not: nothing is released")
    decision = "released" if chosen == [APPROVE] else "rejected"
    reason = str(((answer or {}).get("params_input") or {}).get("reason") or "").strip() or None
    with conn.transaction():
        newer = _newer(conn, publication_id)
        if decision == "released" and newer is not None:
            raise ValueError(
                f"publication {publication_id} was replaced by {newer} of the same day: sign that one off instead"
            )
        if _put(conn, publication_id, decision, person, reason, run_key):
            audit_trail.record(conn, person, "sign_off", f"publication:{publication_id}", reason, decision=decision)
    return decision


def expire(conn: psycopg.Connection[Any], publication_id: int, run_key: str) -> None:
    """Put on record that nobody answered in time; what the public sees stays as it is."""
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
