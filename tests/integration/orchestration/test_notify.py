"""A failed task tells the team by mail, over a real SMTP server on loopback, and names no person."""

from __future__ import annotations

import socket
from pathlib import Path
from types import SimpleNamespace

import pendulum
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message

from yingjian.orchestration import notices, tasks
from yingjian.settings import Settings


class Inbox(Message):
    def __init__(self) -> None:
        super().__init__()
        self.messages: list = []  # type: ignore[type-arg]
        self.port = 0

    def handle_message(self, message) -> None:  # type: ignore[no-untyped-def]
        self.messages.append(message)


@pytest.fixture
def inbox() -> Inbox:
    handler = Inbox()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        handler.port = probe.getsockname()[1]
    controller = Controller(handler, hostname="127.0.0.1", port=handler.port)
    controller.start()
    yield handler  # type: ignore[misc]
    controller.stop()


def failure() -> dict[str, object]:
    task = SimpleNamespace(dag_id="daily", task_id="publish", task=None, try_number=1, max_tries=0)
    return {
        "task_instance": task,
        "ti": task,
        "run_id": "scheduled__1",
        "data_interval_start": pendulum.datetime(2022, 7, 9, 16, tz="UTC"),
    }


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home without a warehouse: what failed is told all the same."""
    monkeypatch.setenv("YINGJIAN_HOME", str(tmp_path))
    monkeypatch.delenv("YINGJIAN_WAREHOUSE", raising=False)


def test_mail_on_failure(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YINGJIAN_ALERT_MAIL", "night@example.org")
    monkeypatch.setenv(
        "AIRFLOW_CONN_SMTP_DEFAULT",
        f'{{"conn_type": "smtp", "host": "127.0.0.1", "port": {inbox.port}, '
        '"extra": {"disable_ssl": true, "disable_tls": true, "from_email": "yingjian@example.org"}}',
    )
    tasks.notify_failure(failure())
    [mail] = inbox.messages
    assert mail["To"] == "night@example.org"
    text = "".join((part.get_payload(decode=True) or b"").decode() for part in mail.walk() if not part.is_multipart())
    assert "daily.publish failed for 2022-07-10" in text and "docs/runbooks/daily.md" in text


def test_a_run_that_was_triggered_for_a_day_is_told_with_that_day(tmp_path: Path) -> None:
    settings = Settings.load({"YINGJIAN_HOME": str(tmp_path)})
    assert (
        notices.failure_of({**failure(), "params": {"date": None}}, settings).subject
        == "daily.publish failed for 2022-07-10"
    )
    assert notices.failure_of({**failure(), "params": {"date": "2022-07-03"}}, settings).subject.endswith(
        "for 2022-07-03"
    )


def test_without_an_address_only_the_log(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("YINGJIAN_ALERT_MAIL", raising=False)
    tasks.notify_failure(failure())
    assert inbox.messages == []
    assert "daily.publish failed for 2022-07-10; the last publication stays" in caplog.text
