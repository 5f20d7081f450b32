"""Signing off public figures (article 31): who may, what is on record, and what the public sees."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import psycopg
import pytest

from tests.integration.delivery.conftest import DIRECTORY, PUBLICATION, directory
from tests.towns import town
from yingjian.delivery import sign_off
from yingjian.people.officials import Officials

ALLOWED = ["director", "deputy"]


@dataclass(frozen=True)
class Answer:
    """An official's answer."""

    option: str = "Approve"
    login: str = "deputy"
    reason: str = ""


def decide(conn: psycopg.Connection, given: Answer, run: str = "r1", publication: int = PUBLICATION) -> str:
    return sign_off.decide(
        conn, publication, login=given.login, approves=given.option == "Approve", reason=given.reason, run_key=run,
        allowed=ALLOWED,
    )  # fmt: skip


def publish(conn: psycopg.Connection, publication_id: int, day: date) -> None:
    conn.execute(
        "insert into published.publication (publication_id, as_of_date, published_at) values (%s, %s, now())",
        (publication_id, day),
    )
    conn.commit()


def seen(conn: psycopg.Connection) -> list[int]:
    """The publication that the public reads."""
    with conn.transaction():
        return [row[0] for row in conn.execute("select publication_id from reporting_public.publication")]


def events(conn: psycopg.Connection) -> list[tuple[str, str, str | None]]:
    with conn.transaction():
        return conn.execute(
            "select actor, details ->> 'decision', reason from audit.event where action = 'sign_off' order by event_id"
        ).fetchall()


def test_who_may_answer(officials: Officials, tmp_path: Path) -> None:
    assert sign_off.who_may(officials, "sign_off") == ["director", "deputy"]
    assert sign_off.who_may(officials, "release") == ["director", "deputy"]
    nobody = directory(tmp_path, DIRECTORY.replace("    may: [release, sign_off]\n", ""))
    for right in ("sign_off", "release"):
        assert sign_off.who_may(nobody, right) == ["admin"]
        assert sign_off.who_may(Officials(), right) == ["admin"]


def test_nothing_is_seen_before_a_deputy_approves(conn: psycopg.Connection) -> None:
    before = len(events(conn))
    assert seen(conn) == []
    assert decide(conn, Answer(reason="已核对")) == "released"
    assert seen(conn) == [PUBLICATION]
    assert events(conn)[before:] == [("deputy", "released", "已核对")]
    assert decide(conn, Answer(reason="已核对")) == "released"
    assert len(events(conn)) == before + 1, "a repeated step decides once"


def test_a_rejection_is_on_record_with_its_reason(conn: psycopg.Connection) -> None:
    assert decide(conn, Answer("Reject", "director", "重点人群数字待核")) == "rejected"
    assert seen(conn) == []
    assert conn.execute("select decision, decided_by, reason from published.public_release").fetchall() == [
        ("rejected", "director", "重点人群数字待核")
    ]


def test_the_answer_of_a_stranger_releases_nothing(conn: psycopg.Connection) -> None:
    with pytest.raises(ValueError, match="nothing is released"):
        decide(conn, Answer(login="grid"))
    conn.rollback()
    assert seen(conn) == [] and conn.execute("select count(*) from published.public_release").fetchone() == (0,)


def test_nobody_in_time_changes_nothing(conn: psycopg.Connection) -> None:
    sign_off.expire(conn, PUBLICATION, "r1")
    assert seen(conn) == []
    decide(conn, Answer(), "r2")
    sign_off.expire(conn, PUBLICATION, "r3")
    assert seen(conn) == [PUBLICATION]
    assert conn.execute(
        "select decision, decided_by from published.public_release order by decision_id"
    ).fetchall() == [("expired", None), ("released", "deputy"), ("expired", None)]


def test_what_was_released_can_be_taken_back(conn: psycopg.Connection) -> None:
    decide(conn, Answer(), "r1")
    decide(conn, Answer("Reject", "director", "更正"), "r2")
    assert seen(conn) == []
    decide(conn, Answer(), "r3")
    assert seen(conn) == [PUBLICATION]


def test_the_public_sees_the_newest_day_that_was_signed_off(conn: psycopg.Connection) -> None:
    publish(conn, PUBLICATION + 1, town.LAST_DAY.replace(day=25))
    publish(conn, PUBLICATION + 2, town.LAST_DAY.replace(day=20))
    decide(conn, Answer(), "r1")
    assert seen(conn) == [PUBLICATION], "a newer publication that nobody signed off is not shown"
    decide(conn, Answer(), "r2", PUBLICATION + 1)
    decide(conn, Answer(), "r3", PUBLICATION + 2)
    assert seen(conn) == [PUBLICATION + 1], "an earlier day, signed off later, does not take its place"


def test_a_publication_that_a_newer_one_of_the_day_replaced_is_not_released(conn: psycopg.Connection) -> None:
    publish(conn, PUBLICATION + 1, town.LAST_DAY)
    with pytest.raises(ValueError, match=f"replaced by {PUBLICATION + 1} of the same day"):
        decide(conn, Answer())
    conn.rollback()
    assert decide(conn, Answer("Reject", reason="x")) == "rejected"
    assert decide(conn, Answer(), "r2", PUBLICATION + 1) == "released"
