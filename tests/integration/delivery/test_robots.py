"""Group robots over a real HTTPS server on loopback: what they are told, how they are signed, what each answer means."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import time

import psycopg
import pytest

from tests.integration.delivery.conftest import KEY, PUBLICATION, SECRET, RobotServer, states
from tests.servers import free_port
from tests.towns import town
from yingjian.delivery import courier
from yingjian.delivery.courier import Delivered
from yingjian.delivery.messages import Composer
from yingjian.delivery.robots import DingTalk, WeCom
from yingjian.people.officials import Officials

PERSON = re.compile(r"王测试|key-\d{2,}|\d{17}[\dX]|(?<!\d)1[3-9]\d{9}(?!\d)")


@pytest.fixture
def robots_only(officials: Officials) -> Officials:
    director = officials.by_login["director"]
    robots = tuple(channel for channel in director.channels if channel.kind != "mail")
    return Officials({"director": replace(director, channels=robots)})


@pytest.fixture
def deliver(conn: psycopg.Connection, composer: Composer, robots_only: Officials) -> Callable[..., Delivered]:
    def run(pauses: list[float] | None = None, on_pause: Callable[[], object] = lambda: None) -> Delivered:
        def sleep(seconds: float) -> None:
            if pauses is not None and seconds:
                pauses.append(seconds)
                on_pause()

        due = courier.due_at(town.LAST_DAY, time(7))
        courier.plan(conn, PUBLICATION, "pack", robots_only, due)
        channels = {"wecom": WeCom(), "dingtalk": DingTalk()}
        return courier.deliver(conn, PUBLICATION, "pack", robots_only, composer, channels, sleep=sleep)  # type: ignore[arg-type]

    return run


def test_figures_and_a_link_and_no_name(robot_server: RobotServer, deliver: Callable[..., Delivered]) -> None:
    assert deliver().states == {"sent": 2}
    wecom, picture, dingtalk = robot_server.requests
    image = base64.b64decode(picture["body"]["image"]["base64"])
    assert picture["body"]["msgtype"] == "image" and image.startswith(b"\x89PNG")
    assert picture["body"]["image"]["md5"] == hashlib.md5(image, usedforsecurity=False).hexdigest()
    assert "今日重点工作" in dingtalk["body"]["markdown"]["text"]
    assert wecom["path"] == "/cgi-bin/webhook/send" and wecom["query"] == {"key": KEY}
    assert dingtalk["path"] == "/robot/send" and dingtalk["query"]["access_token"] == KEY
    texts = [wecom["body"]["markdown"]["content"], dingtalk["body"]["markdown"]["text"]]
    assert wecom["body"]["msgtype"] == dingtalk["body"]["msgtype"] == "markdown"
    assert dingtalk["body"]["markdown"]["title"].startswith("【应检】7月24日日报")
    for text in texts:
        assert "逾期人数" in text and "[打开](https://yingjian.example/)" in text
        assert not PERSON.search(text)
        assert len(text.encode()) <= 4096, "WeCom's limit"


def test_dingtalk_is_signed_as_its_service_wants_it(
    robot_server: RobotServer, deliver: Callable[..., Delivered]
) -> None:
    deliver()
    query = robot_server.requests[-1]["query"]
    wanted = hmac.new(SECRET.encode(), f"{query['timestamp']}\n{SECRET}".encode(), hashlib.sha256).digest()
    assert base64.b64decode(query["sign"]) == wanted


def test_an_error_code_is_a_failure_though_http_says_200(
    robot_server: RobotServer, deliver: Callable[..., Delivered], conn: psycopg.Connection
) -> None:
    robot_server.answers = [(200, 93000), (200, 310000)]
    done = deliver()
    assert done.states == {"failed": 2} and not done.will_retry
    assert "errcode 93000" in done.failures[0]
    assert len(robot_server.requests) == 2


@pytest.mark.parametrize("busy", [(200, 45009), (200, -1), (429, None), (503, None)])
def test_a_busy_service_is_tried_again(
    busy: tuple[int, int | None], robot_server: RobotServer, deliver: Callable[..., Delivered]
) -> None:
    robot_server.answers = [busy]
    pauses: list[float] = []
    assert deliver(pauses).states == {"sent": 2}
    assert len(robot_server.requests) == 4 and len(pauses) == 1


@pytest.mark.parametrize("refused", [(200, 40009), (500, None), (200, None)])
def test_a_picture_that_does_not_arrive_leaves_its_message_sent(
    refused: tuple[int, int | None], robot_server: RobotServer, deliver: Callable[..., Delivered]
) -> None:
    robot_server.answers = [(200, 0), refused]
    assert deliver().states == {"sent": 2}
    assert len(robot_server.requests) == 3, "nothing is sent again"


def test_no_answer_is_uncertain_and_not_sent_again(
    robot_server: RobotServer, deliver: Callable[..., Delivered], conn: psycopg.Connection
) -> None:
    robot_server.silent = True
    assert deliver().states == {"uncertain": 2}
    robot_server.silent = False
    deliver()
    assert len(robot_server.requests) == 2


def test_an_answer_that_is_none_and_an_error_of_the_server(
    robot_server: RobotServer, deliver: Callable[..., Delivered], conn: psycopg.Connection
) -> None:
    robot_server.answers = [(200, None), (502, None)]
    deliver()
    assert states(conn) == {"director/wecom": "failed", "director/dingtalk": "uncertain"}


def test_twenty_a_minute(
    robot_server: RobotServer, deliver: Callable[..., Delivered], conn: psycopg.Connection
) -> None:
    """The twenty-first waits until the first of the twenty is a minute old."""
    conn.execute(
        """
        insert into delivery.attempt (
            publication_id, what, official, channel, number, target, audience_kind, audience, not_before, state, sending_at
        )
        select %s, 'request', 'x' || n, 'wecom', 1, 'wecom_office', 'office', 'x' || n, now(), 'sent', now()
        from generate_series(1, 20) as n
        """,
        (PUBLICATION,),
    )
    conn.commit()
    pauses: list[float] = []
    assert deliver(pauses).states == {"sent": 2}
    assert len(pauses) == 1 and 0 < pauses[0] <= 60


def test_no_key_and_no_secret_in_logs_errors_or_the_record(
    robot_server: RobotServer, deliver: Callable[..., Delivered], conn: psycopg.Connection,
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    caplog.set_level("DEBUG")
    robot_server.answers = [(200, 93000), (500, None)]
    done = deliver()
    monkeypatch.setenv(
        "AIRFLOW_CONN_WECOM_OFFICE",
        f'{{"conn_type": "http", "host": "127.0.0.1", "port": {free_port()}, "password": "{KEY}"}}',
    )
    conn.execute("update delivery.attempt set state = 'planned'")
    conn.commit()
    again = deliver()
    assert again.will_retry and "无法连接机器人服务" in again.failures[0]
    record = str(conn.execute("select * from delivery.attempt").fetchall())
    for text in (caplog.text, record, *done.failures, *again.failures):
        assert KEY not in text and SECRET not in text


def test_an_untrusted_certificate_gets_no_key(
    robot_server: RobotServer, deliver: Callable[..., Delivered], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    assert deliver().states == {"failed": 2}
    assert robot_server.requests == []


def test_a_missing_connection_is_named(deliver: Callable[..., Delivered]) -> None:
    assert deliver().failures[0] == "director/wecom：没有 Airflow 连接 wecom_office"
