"""A sign-off is taken over from the decision that the portal wrote; the reporter writes none of its own (article 31)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest

from yingjian.database import warehouse
from yingjian.delivery import sign_off
from yingjian.publishing import decision
from yingjian.settings import Settings

DAY = date(2022, 7, 20)


@pytest.fixture
def reporter(guarded: Settings) -> Iterator[psycopg.Connection]:
    with warehouse.connect(guarded) as owner:
        owner.execute("truncate publishing.question, publishing.decision, published.publication cascade")
        for number in (1, 2):
            owner.execute(
                """
                insert into published.publication (
                    publication_id, as_of_date, policy_edition, quality_status, checks_run, checks_failed, input_files,
                    input_rows, code_version, run_key
                ) values (%s, %s, '9', 'passed', 1, 0, 1, 1, 'test', %s)
                """,
                (number, DAY + timedelta(days=number), str(number)),
            )
    with warehouse.connect(guarded, "reporter") as conn:
        yield conn
    with warehouse.connect(guarded) as owner:
        owner.execute("truncate publishing.question, publishing.decision, published.publication cascade")


def answer(settings: Settings, publication: int, *, is_released: bool) -> None:
    """As a run asks and the portal answers."""
    now = datetime.now(UTC)
    with warehouse.connect(settings, "publisher") as conn:
        question = decision.ask(
            conn, decision.SIGN_OFF, f"run {now}", DAY, now, now + timedelta(hours=1), publication_id=publication
        )
    with warehouse.connect(settings, "portal") as conn:
        decision.decide(
            conn,
            question,
            login="director",
            name="王主任",
            is_released=is_released,
            reason="已核",
            allowed={"director"},
        )


def take_over(conn: psycopg.Connection, run: str, *, login: str = "director", approves: bool = True) -> None:
    with conn.transaction():
        sign_off.decide(
            conn, 1, login=login, approves=approves, reason="已核", run_key=run, allowed=["director", "deputy"]
        )


def is_refused(conn: psycopg.Connection, run: str, **given: object) -> bool:
    try:
        take_over(conn, run, **given)  # type: ignore[arg-type]
    except psycopg.errors.InsufficientPrivilege as error:
        assert "row-level security" in str(error)
        return True
    return False


def test_the_reporter_signs_nothing_off_by_itself(guarded: Settings, reporter: psycopg.Connection) -> None:
    assert is_refused(reporter, "r1"), "nobody decided"
    answer(guarded, 2, is_released=True)
    assert is_refused(reporter, "r1"), "the decision is about another publication"
    answer(guarded, 1, is_released=True)
    assert is_refused(reporter, "r1", login="deputy"), "somebody else decided"
    assert is_refused(reporter, "r1", approves=False), "it was decided otherwise"
    take_over(reporter, "r1")
    assert sign_off.is_released(reporter, 1)


def test_an_old_sign_off_does_not_come_back_after_a_refusal(guarded: Settings, reporter: psycopg.Connection) -> None:
    answer(guarded, 1, is_released=True)
    take_over(reporter, "r1")
    answer(guarded, 1, is_released=False)
    assert is_refused(reporter, "r2")
    take_over(reporter, "r2", approves=False)
    assert not sign_off.is_released(reporter, 1)


def test_that_nobody_answered_needs_no_decision(guarded: Settings, reporter: psycopg.Connection) -> None:
    sign_off.expire(reporter, 1, "r1")
    assert not sign_off.is_released(reporter, 1)
