"""The warehouse says what is published: by the findings of this build, and a person's decision about this build."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest

from tests import support
from yingjian.database import warehouse
from yingjian.publishing import build as builds
from yingjian.publishing import decision
from yingjian.publishing import publish as publishing
from yingjian.publishing.completeness import NothingBuiltError
from yingjian.settings import Settings

DAY = date(2022, 7, 20)


@pytest.fixture
def publisher(guarded: Settings) -> Iterator[psycopg.Connection]:
    """The publisher's connection, with a build of the run that failed its audit and asks a person."""
    with warehouse.connect(guarded) as owner:
        owner.execute(
            "truncate publishing.build, publishing.question, publishing.decision, quality.check_result, published.publication cascade"
        )
    support.claim(guarded, DAY)
    find(guarded)
    with warehouse.connect(guarded, "publisher") as conn:
        conn.autocommit = True
        builds.ask_person(conn, support.RUN)
        yield conn


def find(settings: Settings) -> None:
    """A critical check fails on the build that the run owns."""
    token = support.renew(settings, DAY).token
    with warehouse.connect(settings, "auditor") as conn:
        conn.execute(
            """
            insert into quality.check_result (as_of_date, suite, check_name, table_name, severity, success, message, build_token)
            values (%s, 'build.due', 'made_up', 'build.due', 'fail', false, '试验', %s)
            """,
            (DAY, token),
        )


def ask(publisher: psycopg.Connection) -> int:
    now = datetime.now(UTC)
    token = builds.owned(publisher, support.RUN).token
    return decision.ask(publisher, decision.RELEASE, support.RUN, DAY, now, now + timedelta(hours=1), build_token=token)


def answer(
    settings: Settings, question: int, *, login: str = "director", reason: str = "已核", is_released: bool = True
) -> None:
    """As the portal does it."""
    with warehouse.connect(settings, "portal") as conn:
        decision.decide(
            conn, question, login=login, name="王主任", is_released=is_released, reason=reason, allowed={"director"}
        )


def publish(conn: psycopg.Connection, may_release: set[str]) -> None:
    publishing.publish(conn, DAY, run_id=support.RUN, code_version="test", may_release=may_release)


def is_refused(conn: psycopg.Connection, may_release: set[str] | None = None) -> bool:
    """Whether publishing stops at the decision; a build without marts stops behind it."""
    conn.autocommit = False
    try:
        publish(conn, may_release if may_release is not None else {"director"})
    except publishing.NotReleasedError:
        return True
    except NothingBuiltError as error:
        assert "build has no" in str(error)
        return False
    finally:
        conn.rollback()
        conn.autocommit = True
    raise AssertionError("an empty build was published")


def test_the_decision_about_this_build_counts_while_the_person_has_the_right(
    guarded: Settings, publisher: psycopg.Connection
) -> None:
    question = ask(publisher)
    assert is_refused(publisher), "nobody decided, whatever a task says"
    answer(guarded, question)
    assert not is_refused(publisher)
    assert is_refused(publisher, set()), "the right is asked for again"
    answer(guarded, ask(publisher), is_released=False)
    assert is_refused(publisher), "the last decision counts"


def test_a_release_of_an_earlier_build_of_the_run_publishes_no_later_one(
    guarded: Settings, publisher: psycopg.Connection
) -> None:
    """The build and its audit were cleared, the answered question was not."""
    answer(guarded, ask(publisher))
    builds.begin(publisher, support.RUN)
    find(guarded)
    assert is_refused(publisher)


def test_a_release_before_the_audit_was_done_again_publishes_nothing(
    guarded: Settings, publisher: psycopg.Connection
) -> None:
    """The audit alone was cleared: its findings are others than those that the person read."""
    answer(guarded, ask(publisher))
    assert not is_refused(publisher)
    with warehouse.connect(guarded) as owner:
        owner.execute("update quality.check_result set checked_at = clock_timestamp()")
    assert is_refused(publisher)


def test_who_may_not_and_who_says_no_reason_decides_nothing(guarded: Settings, publisher: psycopg.Connection) -> None:
    question = ask(publisher)
    for given in ({"login": "clerk"}, {"reason": ""}, {"reason": "", "is_released": False}):
        with pytest.raises(decision.NotDecidedError, match="nothing is decided"):
            answer(guarded, question, **given)  # type: ignore[arg-type]
    assert publisher.execute("select count(*) from publishing.decision").fetchone() == (0,)


def test_a_question_is_answered_once_and_in_time(guarded: Settings, publisher: psycopg.Connection) -> None:
    question = ask(publisher)
    answer(guarded, question)
    with pytest.raises(decision.NotOpenError):
        answer(guarded, question, is_released=False)
    closed = ask(publisher)
    decision.close(publisher, closed, "expired")
    over = ask(publisher)
    publisher.execute("update publishing.question set ends_at = clock_timestamp() where question_id = %s", (over,))
    for late in (closed, over):
        with pytest.raises(decision.NotOpenError):
            answer(guarded, late)
    assert publisher.execute("select count(*) from publishing.decision").fetchone() == (1,)


def test_a_decision_is_in_the_trail_and_stays_as_it_is(guarded: Settings, publisher: psycopg.Connection) -> None:
    question = ask(publisher)
    answer(guarded, question)
    last = "select actor, action, object, reason from audit.event order by event_id desc limit 1"
    assert support.query(guarded, last) == [("director", "release_decision", f"question:{question}", "已核")]
    for service in ("publisher", "portal"):
        for statement in ("update publishing.decision set is_released = false", "delete from publishing.decision"):
            with warehouse.connect(guarded, service) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
                conn.execute(statement)
    for service in ("loader", "transformer", "auditor", "publisher", "reporter", "bi_reader"):
        with warehouse.connect(guarded, service) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(
                "insert into publishing.decision (build_token, decided_by, name, is_released, reason, answered_at)"
                " values (gen_random_uuid(), 'director', 'x', true, 'x', now())"
            )


def test_the_portal_s_role_reads_no_row_of_the_town_and_nobody_else_its_passwords(guarded: Settings) -> None:
    for table in ("staging.persons", "published.publication", "quality.check_result", "audit.event"):
        with warehouse.connect(guarded, "portal") as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(f"select from {table}")  # type: ignore[arg-type]
    for service in ("loader", "transformer", "auditor", "publisher", "reporter", "bi_reader"):
        with warehouse.connect(guarded, service) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("select from portal.account")
