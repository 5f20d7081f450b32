"""A question is told, told again to deputies, ends, and never outlives what made it; the decision's row decides."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from airflow.sdk.exceptions import AirflowSkipException, TaskDeferred

from tests.integration.delivery.conftest import DIRECTORY
from tests.integration.delivery.test_mail import body, to
from tests.integration.orchestration.test_watch import put_publication
from tests.metadata import put
from tests.servers import MailServer
from yingjian import clock
from yingjian.orchestration import approval
from yingjian.orchestration.approval import QuestionTrigger, ReleaseByHand, SignOff, UnansweredError, UndecidedError
from yingjian.publishing import decision
from yingjian.settings import Settings

RUN, DAY = "scheduled__2026-01-04", date(2026, 1, 4)
SIX = datetime(2026, 1, 5, 6, tzinfo=clock.SHANGHAI)
MAIL_ONLY = "\n".join(line for line in DIRECTORY.splitlines() if "wecom" not in line and "dingtalk" not in line)


@pytest.fixture
def asked(watched: Settings, conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> int:
    """A run of the day whose audit failed and that asks for its release; returns the question's number."""
    monkeypatch.setenv("YINGJIAN_HOME", str(watched.home))
    monkeypatch.setenv("YINGJIAN_PORTAL_URL", "https://yingjian.example")
    (watched.home / "officials.yml").write_text(MAIL_ONLY, encoding="utf-8")
    conn.execute("delete from delivery.attempt; delete from quality.check_result")
    put(conn, "publishing.build", run_id=RUN, run_key=RUN, as_of_date=DAY, state="asking", began_at=datetime.now(UTC))
    conn.execute(
        """
        insert into quality.check_result (as_of_date, suite, check_name, table_name, severity, success, message, build_token)
        select as_of_date, 'build.due', 'some', 'due', 'fail', false, '不一致', token from publishing.build
        """
    )
    [(token,)] = conn.execute("select token::text from publishing.build").fetchall()
    return decision.ask(conn, decision.RELEASE, RUN, DAY, SIX, datetime.now(UTC) + timedelta(days=1), build_token=token)


def answer(conn: psycopg.Connection, question: int, login: str, *, is_released: bool = True) -> None:
    decision.decide(
        conn, question, login=login, name=login, is_released=is_released, reason="已核", allowed=["director", "deputy"]
    )


@pytest.fixture
def release(monkeypatch: pytest.MonkeyPatch) -> ReleaseByHand:
    monkeypatch.setattr(ReleaseByHand, "skip", lambda self, ti, tasks: skipped.extend(task.task_id for task in tasks))
    skipped.clear()
    return ReleaseByHand(task_id="release_by_hand", retries=2)


skipped: list[str] = []
PUBLISH = SimpleNamespace(task_id="publish", is_teardown=False)


def context(operator: approval.ApprovalByRight) -> Any:
    ti = SimpleNamespace(dag_id="daily", run_id=RUN, task_id=operator.task_id, try_number=1, max_tries=2)
    return {
        "ti": ti,
        "task": SimpleNamespace(get_direct_relatives=lambda upstream: [PUBLISH]),
        "run_id": RUN,
        "dag_run": SimpleNamespace(data_interval_start=datetime(2026, 1, 4, tzinfo=clock.SHANGHAI)),
        "params": {"time_limit_hours": 10, "publication_id": 1},
    }


def at(moment: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return moment.astimezone(tz)

    monkeypatch.setattr(approval, "datetime", Clock)


def go_on(operator: approval.ApprovalByRight, question: int, asked_at: datetime, told: int = 1) -> Any:
    return operator.go_on(
        context(operator), question_id=question, asked_at=asked_at.isoformat(), told=told, event={"is_released": True}
    )


def test_deputies_are_told_after_a_while_and_all_again(
    release: ReleaseByHand, asked: int, mail_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = release
    link = f"https://yingjian.example/release/{asked}"
    operator._tell("request", context(operator), asked, "", deputies=False)
    request = to(mail_server, "director@example.org")
    assert request["Subject"] == "【应检】请决定是否放行：1月4日日报质量检查未通过"
    text = body(request, "plain")
    assert "未通过的检查：1项" in text and "build.due: 不一致" in text and link in text
    assert mail_server.recipients == ["director@example.org"]

    at(SIX + timedelta(hours=1, minutes=59), monkeypatch)
    with pytest.raises(TaskDeferred) as deferred:
        go_on(operator, asked, SIX)
    assert deferred.value.kwargs == {"question_id": asked, "asked_at": SIX.isoformat(), "told": 1}
    assert datetime.fromisoformat(deferred.value.trigger.wake_at) == SIX + timedelta(hours=2)
    assert len(mail_server.accepted) == 1

    at(SIX + timedelta(hours=2), monkeypatch)
    with pytest.raises(TaskDeferred) as deferred:
        go_on(operator, asked, SIX)
    assert mail_server.recipients == ["deputy@example.org", "director@example.org", "director@example.org"]
    assert deferred.value.kwargs["told"] == 2
    assert datetime.fromisoformat(deferred.value.trigger.wake_at) == SIX + timedelta(hours=6)

    at(SIX + timedelta(hours=6), monkeypatch)
    with pytest.raises(TaskDeferred):
        go_on(operator, asked, SIX, told=2)
    assert len(mail_server.accepted) == 5, "again, until it is answered"


def test_it_ends_at_midnight(
    release: ReleaseByHand, asked: int, mail_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    midnight = datetime(2026, 1, 6, tzinfo=clock.SHANGHAI)
    at(midnight - timedelta(seconds=1), monkeypatch)
    with pytest.raises(TaskDeferred) as deferred:
        go_on(release, asked, SIX, told=9)
    assert datetime.fromisoformat(deferred.value.trigger.wake_at) == midnight
    at(midnight, monkeypatch)
    with pytest.raises(UnansweredError, match="nobody answered release_by_hand in time"):
        go_on(release, asked, SIX, told=9)
    assert to(mail_server, "deputy@example.org")["Subject"] == "【应检】未放行：1月4日日报质量检查未通过"


def test_the_next_run_supersedes_it(
    release: ReleaseByHand,
    asked: int,
    conn: psycopg.Connection,
    mail_server: MailServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at(SIX, monkeypatch)
    trigger = QuestionTrigger(
        asked, "yingjian.orchestration.approval.ReleaseByHand", {"run_id": RUN},
        (SIX + timedelta(hours=2)).isoformat(),
    )  # fmt: skip
    assert not trigger.is_over()
    conn.execute("update publishing.build set state = 'superseded', ended_at = clock_timestamp()")
    put(
        conn, "publishing.build", run_id="next", run_key="next", as_of_date=DAY + timedelta(days=1), state="building",
        began_at=datetime.now(UTC) + timedelta(seconds=1),
    )  # fmt: skip
    assert trigger.is_over()
    with pytest.raises(AirflowSkipException, match=r"superseded.*the schema build went to run next of 2026-01-05"):
        go_on(release, asked, SIX)
    assert skipped == ["publish"] and mail_server.accepted == []
    closed = conn.execute("select closed_because from publishing.question where question_id = %s", (asked,))
    assert closed.fetchone() == ("superseded",)


@pytest.mark.parametrize(("is_released", "what_follows"), [(True, []), (False, ["publish"])])
def test_the_answer_is_the_decision_s_row(
    is_released: bool, what_follows: list[str], release: ReleaseByHand, asked: int, conn: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """An event that says so is no answer; one that came in the last second is."""
    at(SIX, monkeypatch)
    with pytest.raises(TaskDeferred):
        go_on(release, asked, SIX)
    trigger = QuestionTrigger(
        asked, "yingjian.orchestration.approval.ReleaseByHand", {"run_id": RUN}, (SIX + timedelta(days=3)).isoformat()
    )
    assert not trigger.is_over()
    answer(conn, asked, "director", is_released=is_released)
    assert trigger.is_over()
    at(SIX + timedelta(days=2), monkeypatch)
    go_on(release, asked, SIX)
    assert list(skipped) == what_follows


def test_the_right_is_asked_for_again_when_the_task_goes_on(
    release: ReleaseByHand, asked: int, conn: psycopg.Connection, watched: Settings
) -> None:
    answer(conn, asked, "deputy")
    (watched.home / "officials.yml").write_text(MAIL_ONLY.replace("deputy: deputy", ""), encoding="utf-8")
    with pytest.raises(UndecidedError, match="may not give it any more"):
        go_on(release, asked, SIX)


def test_a_try_after_the_process_died_does_not_ask_again(
    release: ReleaseByHand, asked: int, conn: psycopg.Connection, mail_server: MailServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    at(SIX, monkeypatch)
    died = context(release)
    died["ti"].try_number = 2
    with pytest.raises(TaskDeferred) as deferred:
        release.execute(died)
    assert deferred.value.kwargs["question_id"] == asked
    assert mail_server.accepted == [], "they were told before"
    at(SIX + timedelta(days=1), monkeypatch)
    with pytest.raises(UnansweredError):
        release.execute(died)
    assert conn.execute("select count(*) from publishing.question").fetchone() == (1,)


def test_a_task_that_was_cleared_asks_anew(
    release: ReleaseByHand, asked: int, conn: psycopg.Connection, mail_server: MailServer
) -> None:
    with pytest.raises(TaskDeferred) as deferred:
        release.execute(context(release))
    assert deferred.value.kwargs["question_id"] > asked
    rows = conn.execute("select closed_because from publishing.question order by question_id").fetchall()
    assert rows == [("asked_again",), (None,)]
    with pytest.raises(decision.NotOpenError):
        answer(conn, asked, "director")


def test_whoever_cannot_be_told_keeps_nobody_from_answering(
    release: ReleaseByHand, asked: int, mail_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    mail_server.answers = {"deputy@example.org": ["550 5.1.1 no"]}
    at(SIX + timedelta(hours=2), monkeypatch)
    with pytest.raises(TaskDeferred):
        go_on(release, asked, SIX)
    assert mail_server.recipients == ["director@example.org"]


def test_a_sign_off_is_superseded_by_a_publication_that_comes_after_it(
    watched: Settings, conn: psycopg.Connection, release: ReleaseByHand
) -> None:
    def moot(asked_at: datetime) -> str | None:
        return SignOff.superseded_by(watched, publication_id=DAY.toordinal(), asked_at=asked_at.isoformat())

    put_publication(conn, DAY)
    put_publication(conn, DAY - timedelta(days=1))
    [(published,)] = conn.execute("select max(published_at) from published.publication").fetchall()
    assert moot(published - timedelta(hours=1)) is None, "that of an earlier day is none"
    put_publication(conn, DAY + timedelta(days=1))
    newer = (DAY + timedelta(days=1)).toordinal()
    assert moot(published) == f"publication {newer} is there"
    [(published,)] = conn.execute("select max(published_at) from published.publication").fetchall()
    assert moot(published) is None, "asked about again, to take it back"


def test_a_trigger_is_made_again_from_what_airflow_keeps() -> None:
    trigger = QuestionTrigger(7, "yingjian.orchestration.approval.ReleaseByHand", {"run_id": RUN}, SIX.isoformat())
    path, arguments = trigger.serialize()
    assert path == "yingjian.orchestration.approval.QuestionTrigger"
    assert QuestionTrigger(**arguments).serialize() == (path, arguments)
