"""At the hour of delivery recipients read once that there is no publication, and why; never beside a publication."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta

import psycopg
import pytest

from tests.integration.delivery.conftest import DIRECTORY
from tests.integration.delivery.test_mail import body, to
from tests.integration.orchestration.test_watch import put_file, put_publication
from tests.metadata import put, put_run, put_task
from tests.servers import MailServer
from yingjian import clock
from yingjian.orchestration import absence
from yingjian.settings import Settings

DAY = date(2026, 1, 4)
SEVEN = datetime(2026, 1, 5, 7, tzinfo=clock.SHANGHAI)


@pytest.fixture
def at(
    watched: Settings, conn: psycopg.Connection, airflow: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> Callable[[datetime], dict[str, int]]:
    """The function gives the mail that the deputy gets at a moment; the day before the last one is published."""
    officials = (
        DIRECTORY.split("  - login: director")[0] + "  - login: deputy" + DIRECTORY.split("  - login: deputy")[1]
    )
    (watched.home / "officials.yml").write_text(officials.split("  - login: health")[0], encoding="utf-8")
    monkeypatch.setenv("YINGJIAN_HOME", str(watched.home))
    put_publication(conn, DAY - timedelta(days=1))
    conn.execute("delete from delivery.attempt")

    def tell(moment: datetime) -> dict[str, int]:
        monkeypatch.setattr(clock, "now", lambda home: moment)
        return absence.tell(watched)

    return tell


def put_day(airflow: psycopg.Connection) -> None:
    start = datetime.combine(DAY, datetime.min.time(), clock.SHANGHAI)
    put_run(airflow, "daily", "day", "running", data_interval_start=start, data_interval_end=start + timedelta(days=1))


def test_one_line_once_at_the_hour(at: Callable[[datetime], dict[str, int]], mail_server: MailServer) -> None:
    assert at(SEVEN - timedelta(minutes=1)) == {} and mail_server.accepted == []
    assert at(SEVEN) == {"sent": 1} == at(SEVEN + timedelta(minutes=5))
    [mail] = [to(mail_server, "deputy@example.org")]
    assert mail["Subject"] == "【应检】1月4日日报未能按时发布"
    assert "原因：当日运行没有启动，数据组已获通知" in body(mail, "plain") and len(mail_server.accepted) == 1
    assert at(SEVEN + timedelta(days=1)) == {"sent": 1}, "the next day is another line"


@pytest.mark.parametrize("hours", [-7, 6, 15])
def test_at_another_hour_nothing(hours: int, at: Callable[[datetime], dict[str, int]], mail_server: MailServer) -> None:
    assert at(SEVEN + timedelta(hours=hours)) == {} and mail_server.accepted == []


def test_a_publication_that_came_before_is_enough(
    at: Callable[[datetime], dict[str, int]], conn: psycopg.Connection, mail_server: MailServer
) -> None:
    put_publication(conn, DAY)
    assert at(SEVEN) == {} and mail_server.accepted == []


def test_nobody_waits_where_nothing_was_ever_published(
    at: Callable[[datetime], dict[str, int]], conn: psycopg.Connection, mail_server: MailServer
) -> None:
    conn.execute("delete from published.publication")
    assert at(SEVEN) == {} and mail_server.accepted == []


def test_a_demo_s_recipients_read_nothing(
    at: Callable[[datetime], dict[str, int]], watched: Settings, mail_server: MailServer
) -> None:
    clock.set_demo_clock(watched.home, SEVEN)
    try:
        assert at(SEVEN) == {} and mail_server.accepted == []
    finally:
        (watched.home / clock.FILE).unlink()


def test_why(watched: Settings, conn: psycopg.Connection, airflow: psycopg.Connection) -> None:
    def why() -> str:
        return absence.why(watched, DAY)

    assert why() == "当日运行没有启动，数据组已获通知"
    put_day(airflow)
    assert why() == "数据处理尚未完成"
    put_task(airflow, "daily", "day", "wait_for_feeds", "deferred")
    put_file(conn, SEVEN, newest_update=datetime(2026, 1, 4, 23))
    assert "入（返）丰人员申报" not in why() and why().startswith("等待报送：核酸检测结果")
    put(conn, "publishing.build", run_id="day", run_key="day", as_of_date=DAY, state="asking")
    assert why() == "质量检查未通过，等待有权人员决定是否放行"
    conn.execute("update publishing.build set state = 'failed'")
    airflow.execute("update task_instance set state = 'success'; update dag_run set state = 'failed'")
    put_task(airflow, "daily", "day", "models.overdue_run", "failed")
    put_task(airflow, "daily", "day", "build", "failed")
    assert why() == "运行在“build”一步失败，数据组已获通知"
    airflow.execute("update task_instance set task_id = 'release_by_hand' where task_id = 'build'")
    assert why() == "质量检查未通过，时限内无人决定是否放行"
    airflow.execute("update task_instance set state = 'success'; update dag_run set state = 'success'")
    assert why() == "质量检查未通过，有权人员决定不放行"


def test_the_hour_is_that_of_the_settings(watched: Settings, conn: psycopg.Connection) -> None:
    assert absence.tell(replace(watched, delivery_time=clock.now(watched.home).time())) == {}
