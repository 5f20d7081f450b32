"""One failure is one notice, a state that lasts is told again, its end is told once; and nothing told names a person."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from tests.integration.delivery.test_mail import body, to
from tests.integration.orchestration.conftest import Hook
from tests.servers import MailServer
from yingjian.delivery.errors import Undelivered
from yingjian.modelling.dbt import BuildError
from yingjian.orchestration import notices, tasks
from yingjian.orchestration.notices import EVENT, Notice
from yingjian.settings import Settings, SetupError

NOON = datetime(2026, 1, 5, 4, tzinfo=UTC)
DAY = datetime(2022, 7, 10, tzinfo=notices.SHANGHAI)
BACKUP = Notice("backup", "backup", "there is no backup", "recovery")
PERSON = "陈测试 350503194205022751"


def failed(error: BaseException, run: str = "scheduled__1", tries: int = 2, max_tries: int = 1) -> dict[str, Any]:
    """Airflow gives a callback this: a task with one retry failed for good."""
    task = SimpleNamespace(
        dag_id="daily", task_id="build", try_number=tries, max_tries=max_tries, task=SimpleNamespace(retries=1)
    )
    return {"task_instance": task, "run_id": run, "data_interval_start": DAY, "exception": error}


def states(hook: Hook) -> list[str]:
    return [posted["state"] for posted in hook.posted]


def test_a_state_is_told_once_again_after_hours_and_its_end_once(
    told: Settings, conn: psycopg.Connection, hook: Hook
) -> None:
    def turn(moment: datetime, *seen: Notice) -> int:
        notices.see(conn, seen, moment, ["backup"])
        return notices.tell_due(conn, told, moment)

    assert turn(NOON, BACKUP) == 1 and turn(NOON + timedelta(hours=1), BACKUP) == 0
    assert turn(NOON + timedelta(hours=12), BACKUP) == 1 and turn(NOON + timedelta(hours=13), BACKUP) == 0
    assert turn(NOON + timedelta(hours=14)) == 1 and turn(NOON + timedelta(hours=15)) == 0
    assert states(hook) == ["new", "again", "over"]
    assert turn(NOON + timedelta(hours=16), BACKUP) == 1, "what begins again is told again"
    assert {posted["since"] for posted in hook.posted} == {"2026-01-05 12:00+08:00", "2026-01-06 04:00+08:00"}


def test_what_another_look_saw_is_not_over(told: Settings, conn: psycopg.Connection, hook: Hook) -> None:
    notices.see(conn, [BACKUP], NOON)
    notices.see(conn, [], NOON, ["archive"])
    assert notices.tell_due(conn, told, NOON) == 1 and states(hook) == ["new"]


def test_one_failure_is_one_notice(told: Settings, conn: psycopg.Connection, hook: Hook) -> None:
    tasks.notify_failure(failed(BuildError("dbt could not build overdue: the log says why")))
    tasks.notify_failure(failed(BuildError("dbt could not build overdue: the log says why"), "scheduled__2"))
    [notice] = hook.posted
    assert notice["subject"] == "daily.build failed for 2022-07-10: dbt could not build overdue: the log says why"
    assert notice["facts"] == {
        "run": "scheduled__1", "try": "2", "task": "daily.build", "error": "dbt could not build overdue: the log says why",
    }  # fmt: skip
    assert notice["runbook"] == "docs/runbooks/daily.md"
    assert notice["link"] == "https://yingjian.example/dags/daily/runs/scheduled__1/tasks/build"
    tasks.notify_failure(failed(BuildError("dbt could not build due: the log says why"), "scheduled__2"))
    assert len(hook.posted) == 2, "another fault is another notice"
    for tries in (3, 4):
        tasks.notify_failure(
            failed(BuildError("dbt could not build due: the log says why"), "scheduled__2", tries, max_tries=3)
        )
    assert len(hook.posted) == 4, "a person cleared it, and it failed again"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (SetupError("port 8080 is in use: set YINGJIAN_PORT"), "port 8080 is in use: set YINGJIAN_PORT"),
        (ValueError(PERSON), "ValueError"),
        (psycopg.errors.CheckViolation(f"row {PERSON} violates"), "CheckViolation (SQLSTATE 23514)"),
    ],
)
def test_only_what_is_made_for_it_is_told_of_an_exception(
    error: BaseException, line: str, told: Settings, conn: psycopg.Connection, hook: Hook, caplog: pytest.LogCaptureFixture
) -> None:  # fmt: skip
    tasks.notify_failure(failed(error))
    assert hook.posted[0]["facts"]["error"] == line
    assert "350503194205022751" not in str(hook.posted) + caplog.text
    [(stored,)] = conn.execute("select notice::text from operations.notice as notice").fetchall()
    assert "350503194205022751" not in stored


def test_mail_robots_and_webhook(
    told: Settings, conn: psycopg.Connection, hook: Hook, mail_server: MailServer, robot_server: Any
) -> None:
    ways = {"mail": ("night@example.org", "boss@example.org"), "wecom": "wecom_office", "dingtalk": "dingtalk_office"}
    alerts = replace(told.alerts, heartbeat=None, **ways)
    notices.see(conn, [Notice("backup", "backup", "there is no backup", "recovery", (("last", "never"),))], NOON)
    assert notices.tell_due(conn, replace(told, alerts=alerts), NOON) == 1
    assert mail_server.recipients == ["boss@example.org", "night@example.org"]
    text = body(to(mail_server, "night@example.org"), "plain")
    assert "[应检] there is no backup" in text and "last：never" in text and "docs/runbooks/recovery.md" in text
    assert len(robot_server.requests) == 2 and len(hook.posted) == 1


def test_what_no_channel_takes_is_told_by_the_next_turn(
    told: Settings, conn: psycopg.Connection, hook: Hook, caplog: pytest.LogCaptureFixture
) -> None:
    hook.status = 503
    with caplog.at_level(logging.ERROR):
        tasks.notify_failure(failed(BuildError("dbt could not build overdue")))
    assert "the webhook refused (HTTP 503)" in caplog.text and "token=secret" not in caplog.text
    with pytest.raises(Undelivered):
        notices.tell_due(conn, told, datetime.now(UTC))
    hook.status = 200
    assert notices.tell_due(conn, told, datetime.now(UTC)) == 1


def test_a_channel_that_is_broken_does_not_keep_the_others(
    told: Settings, conn: psycopg.Connection, hook: Hook, caplog: pytest.LogCaptureFixture
) -> None:
    notices.see(conn, [BACKUP], NOON)
    alerts = replace(told.alerts, wecom="nowhere")
    assert notices.tell_due(conn, replace(told, alerts=alerts), NOON) == 1 and states(hook) == ["new"]
    assert "没有 Airflow 连接 nowhere" in caplog.text


def test_without_the_warehouse_it_is_told_all_the_same(
    told: Settings, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YINGJIAN_WAREHOUSE", "postgresql://nobody:secret@127.0.0.1:1/none")
    monkeypatch.setenv("YINGJIAN_PERSON_KEY", "key")
    tasks.notify_failure(failed(BuildError("dbt could not build overdue")))
    assert [posted["subject"] for posted in hook.posted] == [
        "daily.build failed for 2022-07-10: dbt could not build overdue"
    ]


def test_an_event_is_told_once_and_has_no_end(told: Settings, conn: psycopg.Connection, hook: Hook) -> None:
    for _ in range(2):
        notices.say(told, Notice(EVENT, "bounces", "3 mails came back", "delivery"))
    notices.see(conn, [], NOON, [EVENT])
    assert states(hook) == ["new", "new"], "two events"
    assert notices.tell_due(conn, told, datetime.now(UTC)) == 0


def test_where_nobody_is_told_it_is_said(watched: Settings, conn: psycopg.Connection, hook: Hook) -> None:
    nobody = watched
    assert not nobody.alerts.is_anybody_told
    notices.see(conn, [BACKUP], NOON)
    assert notices.tell_due(conn, nobody, NOON) == 0
    assert notices.unset(nobody) == notices.UNSET
    assert notices.unset(replace(watched, alerts=replace(watched.alerts, webhook=hook.url))) is None
    assert conn.execute("select last_told_at from operations.notice").fetchall() == [(None,)]


@pytest.mark.parametrize("hours", ["0", "-1", "soon", "1e3"])
def test_hours_that_are_none(hours: str) -> None:
    with pytest.raises(SetupError, match="YINGJIAN_ALERT_LONG_HOURS"):
        Settings.load({"YINGJIAN_ALERT_LONG_HOURS": hours})
