"""Each look fires on what it is made for and on nothing else; the turn tells, and is not silent about itself."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from time import sleep
from typing import Any

import psycopg
import pytest

from tests.conftest import HomeFactory
from tests.integration.orchestration.conftest import Hook
from tests.metadata import put, put_run, put_task
from yingjian import clock
from yingjian.clock import SHANGHAI
from yingjian.database.embedded import EmbeddedPostgres
from yingjian.modelling.marts import published
from yingjian.orchestration import tasks, watch
from yingjian.orchestration.notices import Notice
from yingjian.privacy.protection import protect
from yingjian.publishing import decision
from yingjian.settings import Settings, SetupError

NOW = datetime(2026, 1, 5, 8, tzinfo=SHANGHAI)
YESTERDAY, TODAY = date(2026, 1, 4), date(2026, 1, 5)


@pytest.fixture
def see(watched: Settings, conn: psycopg.Connection, airflow: psycopg.Connection) -> Callable[..., list[Notice]]:
    """A look sees this at a moment, NOW unless told."""

    def see(look: watch.Look, now: datetime = NOW, **settings: Any) -> list[Notice]:
        return look(watch.View(replace(watched, **settings), conn, airflow, now, now))

    return see


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


def put_file(
    conn: psycopg.Connection,
    received_at: datetime,
    status: str = "staged",
    read: int = 0,
    rejected: int = 0,
    **values: Any,
) -> None:
    put(
        conn, "quality.landed_file", feed="arrivals", file_name="a.csv", location=f"/{received_at}", size_bytes=1,
        modified_at=received_at, received_at=received_at, status=status, rows_read=read, rows_rejected=rejected,
        rows_staged=read - rejected, **values,
    )  # fmt: skip


def put_publication(conn: psycopg.Connection, day: date) -> None:
    put(
        conn, "published.publication", publication_id=day.toordinal(), as_of_date=day, policy_edition="9",
        quality_status="passed", checks_run=1, checks_failed=0, input_files=1, input_rows=1, code_version="1", run_key=str(day),
    )  # fmt: skip


def subjects(notices_seen: list[Notice]) -> list[str]:
    assert all(notice.key.startswith(notice.about) for notice in notices_seen)
    return [notice.subject for notice in notices_seen]


def test_nothing_landed(see: Any, conn: psycopg.Connection, airflow: psycopg.Connection) -> None:
    assert see(watch.not_landed) == [], "a home that never ran is not late"
    put_run(airflow, "landing", "r", "success", start_date=ago(hours=27))
    assert subjects(see(watch.not_landed)) == ["nothing landed since 2026-01-04 05:00+08:00"]
    put_file(conn, ago(hours=26))
    assert see(watch.not_landed) == []
    assert subjects(see(watch.not_landed, NOW + timedelta(minutes=1))) == [
        "nothing landed since 2026-01-04 06:00+08:00"
    ]


def test_a_sender_that_came_every_day_is_silent(
    see: Any, conn: psycopg.Connection, request: pytest.FixtureRequest
) -> None:
    """The policy's parameters say who is silent, in the mart of the last publication; the watch only tells it."""
    assert see(watch.silent_senders) == [], "nothing was ever published"
    conn.execute(
        "create table published.feed_sender_daily"
        " (publication_id bigint, feed text, sender text, last_on date, is_silent_since date);"
        "grant select on published.feed_sender_daily to reporter"
    )
    protect(conn, published()["feed_sender_daily"], [])
    # The reporter has no right on the model's other columns, so the turns of later tests could not look.
    request.addfinalizer(lambda: conn.execute("drop table published.feed_sender_daily"))

    def put_sender(sender: str, last_on: date, is_silent_since: date | None, publication: date = YESTERDAY) -> None:
        put(
            conn, "published.feed_sender_daily", publication_id=publication.toordinal(), feed="arrivals", sender=sender,
            last_on=last_on, is_silent_since=is_silent_since,
        )  # fmt: skip

    put_publication(conn, YESTERDAY)
    conn.execute("insert into published.current (publication_id) values (%s)", (YESTERDAY.toordinal(),))
    put_sender("第1社区", YESTERDAY, None)
    put_sender("第2社区", date(2025, 12, 20), date(2025, 12, 21))
    put_sender("", date(2026, 1, 1), date(2026, 1, 2))
    put_sender("第3社区", date(2026, 1, 1), date(2026, 1, 2), publication=date(2026, 1, 3))
    assert see(watch.silent_senders) == [], "one is there, one is long known, one has no name, one is of an older day"
    put_sender("第4社区", date(2026, 1, 1), date(2026, 1, 2))
    (notice,) = see(watch.silent_senders)
    assert notice.subject == "arrivals has had nothing from 1 of its senders since 2026-01-01"
    assert "第4社区" not in str(notice), "what stands in a sender's column may be a person's name"


def test_the_run_of_the_day_has_not_begun(see: Any, conn: psycopg.Connection, airflow: psycopg.Connection) -> None:
    assert see(watch.not_started) == [], "there is no data for any day"
    put_file(conn, ago(hours=12))
    midnight = datetime(2026, 1, 5, tzinfo=SHANGHAI)
    assert see(watch.not_started, midnight + timedelta(minutes=29)) == []
    assert subjects(see(watch.not_started, midnight + timedelta(minutes=30))) == ["the run of 2026-01-04 has not begun"]
    start = midnight - timedelta(days=2)
    put_run(airflow, "daily", "before", data_interval_start=start, data_interval_end=start + timedelta(days=1))
    assert len(see(watch.not_started)) == 1
    start += timedelta(days=1)
    put_run(airflow, "daily", "day", "queued", data_interval_start=start, data_interval_end=start + timedelta(days=1))
    assert see(watch.not_started) == []


def test_the_day_was_begun_by_hand(see: Any, conn: psycopg.Connection) -> None:
    put_file(conn, ago(hours=12))
    put(conn, "publishing.build", run_id="by hand", run_key="by hand", as_of_date=YESTERDAY)
    assert see(watch.not_started) == []


def test_a_task_takes_too_long(see: Any, airflow: psycopg.Connection) -> None:
    put_run(airflow, "daily", "r")
    for task, state, start in (
        ("build", "running", ago(hours=3, minutes=1)),
        ("wait_for_feeds", "deferred", ago(hours=5)),
        ("report", "running", ago(hours=2)),
    ):
        put_task(airflow, "daily", "r", task, state, start_date=start, queued_dttm=start, scheduled_dttm=start)
    # It was deferred for hours, and has been at work again for a minute.
    put_task(airflow, "daily", "r", "claim", "running", start_date=ago(hours=9), queued_dttm=ago(minutes=1))
    put_task(airflow, "daily", "r", "packs", "queued", scheduled_dttm=ago(hours=1, minutes=1))
    put_task(airflow, "daily", "r", "audit", "queued", scheduled_dttm=ago(minutes=59))
    assert subjects(see(watch.too_long)) == [
        "daily.build has been at work since 2026-01-05 04:59+08:00",
        "daily.packs has waited for a slot since 2026-01-05 06:59+08:00",
    ]


def test_a_question_waits(see: Any, conn: psycopg.Connection) -> None:
    assert see(watch.waiting) == []
    question = decision.ask(
        conn, decision.RELEASE, "r", YESTERDAY, ago(hours=1), datetime.now(UTC) + timedelta(hours=1),
        build_token=str(uuid.uuid4()),
    )  # fmt: skip
    [notice] = see(watch.waiting, url="https://yingjian.example")
    assert notice.subject == "daily.release_by_hand has waited for a person since 2026-01-05 07:00+08:00"
    assert notice.link == "https://yingjian.example/dags/daily/runs/r/tasks/release_by_hand"
    with conn.transaction(force_rollback=True):
        decision.close(conn, question, "superseded")
        assert see(watch.waiting) == []
    decision.decide(
        conn, question, login="director", name="王主任", is_released=False, reason="不行", allowed=["director"]
    )
    assert see(watch.waiting) == []


def test_a_publication_is_stale_at_the_hour_of_delivery(see: Any, conn: psycopg.Connection) -> None:
    assert see(watch.stale) == [], "nothing was ever published"
    put_publication(conn, YESTERDAY - timedelta(days=1))
    seven = datetime(2026, 1, 5, 7, tzinfo=SHANGHAI)
    assert see(watch.stale, seven - timedelta(minutes=1)) == []
    assert subjects(see(watch.stale, seven)) == ["2026-01-04 is not published; readers see 2026-01-03"]
    night = subjects(see(watch.stale, seven + timedelta(hours=20)))
    assert night == ["2026-01-04 is not published; readers see 2026-01-03"], "midnight does not end it"
    put_publication(conn, YESTERDAY)
    assert see(watch.stale, seven) == []


def test_a_day_was_built_without_required_feeds(see: Any, conn: psycopg.Connection) -> None:
    put(
        conn,
        "publishing.build",
        run_id="1",
        run_key="1",
        as_of_date=YESTERDAY,
        state="published",
        missing_feeds=["arrivals"],
    )
    assert subjects(see(watch.missing_feeds)) == ["2026-01-04 was built without arrivals"]
    put(conn, "publishing.build", run_id="correction", run_key="correction", as_of_date=YESTERDAY, state="published")
    assert see(watch.missing_feeds) == []


def test_the_end_of_the_trail_was_not_noted(see: Any, conn: psycopg.Connection) -> None:
    conn.execute("truncate operations.anchor")
    put(conn, "operations.anchor", anchored_at=ago(hours=3), event_id=1)
    assert see(watch.not_anchored) == [], "no other place is named"
    [notice] = see(watch.not_anchored, audit_anchor="/elsewhere/anchors")
    assert notice.subject == "the end of the audit trail has not been noted elsewhere since 2026-01-05 05:00"
    put(conn, "operations.anchor", anchored_at=ago(hours=2), event_id=1)
    assert see(watch.not_anchored, audit_anchor="/elsewhere/anchors") == []
    conn.execute("truncate operations.anchor")


def test_files_were_refused(see: Any, conn: psycopg.Connection) -> None:
    put_file(conn, ago(days=3), "rejected")
    put_file(conn, ago(hours=1))
    assert see(watch.rejected_files) == []
    put_file(conn, ago(days=1), "rejected")
    assert subjects(see(watch.rejected_files)) == ["1 files of arrivals were refused"]
    conn.execute("update quality.landed_file set is_to_retry = true")
    assert see(watch.rejected_files) == []


def test_many_rows_went_to_quarantine(see: Any, conn: psycopg.Connection) -> None:
    put_file(conn, ago(hours=25), read=1000, rejected=1000)
    put_file(conn, ago(hours=2), read=100, rejected=5)
    assert see(watch.rejected_rows) == []
    put_file(conn, ago(hours=1), read=100, rejected=6)
    assert subjects(see(watch.rejected_rows)) == ["11 of 200 rows of arrivals went to quarantine"]


def test_no_backup_and_an_old_one(see: Any, conn: psycopg.Connection, airflow: psycopg.Connection) -> None:
    assert see(watch.backup) == []
    put_run(airflow, "landing", "r", start_date=ago(hours=27))
    assert subjects(see(watch.backup)) == ["there is no backup"]
    put(conn, "operations.backup", made_at=ago(hours=26), size_bytes=1)
    assert see(watch.backup) == []
    assert subjects(see(watch.backup, NOW + timedelta(minutes=1))) == ["the newest backup is of 2026-01-04 06:00+08:00"]


def test_the_archive_fails(see: Any, home_factory: HomeFactory, airflow: psycopg.Connection) -> None:
    """PostgreSQL's own archiver runs, on a server of its own."""
    assert see(watch.archive) == []
    settings = home_factory("archive")
    server = EmbeddedPostgres(settings)

    def archive_by(command: str, *others: str) -> None:
        with psycopg.connect(server.uri("postgres", "postgres"), autocommit=True) as admin:
            for setting in (f"archive_command = '{command}'", *others):
                admin.execute(f"alter system set {setting}")  # type: ignore[arg-type]
            admin.execute("select pg_reload_conf()")

    def after_archiving(column: str) -> list[Notice]:
        for _ in range(300):
            with psycopg.connect(server.uri("postgres", "postgres"), autocommit=True) as admin:
                admin.execute("select pg_switch_wal()")
                row = admin.execute(f"select {column} > 0 from pg_stat_archiver").fetchone()  # type: ignore[arg-type]
                if row and row[0]:
                    return watch.archive(watch.View(settings, admin, airflow, NOW, NOW))
            sleep(0.2)
        raise AssertionError(f"PostgreSQL never counted {column}")

    archive_by("false", "archive_mode = on", "wal_level = replica", "max_wal_senders = 0")
    server.stop()
    server.ensure_running()
    [notice] = after_archiving("failed_count")
    assert notice.subject.startswith("PostgreSQL's archive has failed since ") and notice.facts == (
        ("last archived", "never"),
    )
    archive_by("true")
    assert after_archiving("archived_count") == []


def test_a_dag_cannot_be_read(see: Any, airflow: psycopg.Connection) -> None:
    assert see(watch.import_errors) == []
    put(
        airflow, "import_error", filename="daily.py", bundle_name="dags-folder", stacktrace="Traceback\nKeyError: 'x'\n"
    )
    [notice] = see(watch.import_errors)
    assert notice.subject == "daily.py cannot be read" and notice.facts == (("error", "KeyError"),)


def test_a_service_is_silent(see: Any, airflow: psycopg.Connection) -> None:
    put(airflow, "job", job_type="TriggererJob", latest_heartbeat=ago(minutes=6))
    put(airflow, "job", job_type="DagProcessorJob", latest_heartbeat=ago(minutes=6))
    put(airflow, "job", job_type="DagProcessorJob", latest_heartbeat=ago(minutes=5))
    assert subjects(see(watch.silent_services)) == ["Airflow's triggerer has been silent since 2026-01-05 07:54+08:00"]
    put(airflow, "job", job_type="TriggererJob", latest_heartbeat=ago(minutes=1))
    assert see(watch.silent_services) == []


def test_the_disk_is_nearly_full(see: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "LOW_DISK", 0)
    assert see(watch.disk) == []
    monkeypatch.setattr(watch, "LOW_DISK", 1 << 60)
    [notice] = see(watch.disk)
    assert notice.subject.endswith("GiB free for the home")


def test_failures_that_no_callback_told_of(see: Any, airflow: psycopg.Connection) -> None:
    put_run(airflow, "daily", "r", "failed")
    put_task(airflow, "daily", "r", "models.overdue_run", "failed", end_date=ago(hours=1))
    put_task(airflow, "daily", "r", "report", "failed", end_date=ago(minutes=2))
    assert see(watch.failures) == []
    put_task(airflow, "daily", "r", "build", "failed", end_date=ago(minutes=3), try_number=2)
    [notice] = see(watch.failures)
    assert notice.subject == "daily.build failed" and ("try", "2") in notice.facts and notice.runbook == "daily"
    put_run(airflow, "daily", "next", "success")
    put_task(airflow, "daily", "next", "build", "success", end_date=NOW)
    assert see(watch.failures) == [], "it worked since"


def test_a_night_of_failures_takes_as_many_statements_as_one(
    see: Any, airflow: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All models fail when the warehouse is away."""
    statements, execute = [], airflow.execute
    put_run(airflow, "daily", "r", "failed")
    monkeypatch.setattr(airflow, "execute", lambda query, *given: statements.append(query) or execute(query, *given))
    for number in range(30):
        put_task(airflow, "daily", "r", f"task{number}", "failed", end_date=ago(hours=1))
    statements.clear()
    assert len(see(watch.failures)) == 30 and len(statements) == 2


def test_a_failure_is_told_once_and_is_over_when_the_task_works_again(
    told: Settings, conn: psycopg.Connection, airflow: psycopg.Connection, hook: Hook
) -> None:
    ended = datetime.now(UTC) - timedelta(minutes=10)
    put_run(airflow, "daily", "r", "failed")
    task = put_task(airflow, "daily", "r", "publish", "failed", end_date=ended)
    handed = type("Task", (), {"dag_id": "daily", "task_id": "publish", "try_number": 1, "max_tries": 0})()
    tasks.notify_failure({"task_instance": handed, "run_id": "r", "exception": SetupError("publish by hand")})
    assert watch.turn(told)["told"] == 0, "the callback told of it"
    airflow.execute("update task_instance set state = 'success', end_date = now() where id = %s", (task,))
    assert watch.turn(told)["told"] == 1 and watch.turn(told)["told"] == 0
    assert [(posted["state"], posted["subject"]) for posted in hook.posted] == [
        ("new", "daily.publish failed: publish by hand"),
        ("over", "daily.publish failed: publish by hand"),
    ]
    assert hook.fetched == ["/beat"] * 3, "each turn says that it is alive"


def test_a_look_that_cannot_look_is_told_and_does_not_blind_the_others(
    told: Settings, conn: psycopg.Connection, airflow: psycopg.Connection, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(view: watch.View) -> list[Notice]:
        view.row("select 1/0")
        return []

    monkeypatch.setattr(watch, "ABOUT_STATE", (broken, watch.import_errors))
    put(airflow, "import_error", filename="daily.py", bundle_name="dags-folder", stacktrace="SyntaxError: x")
    with pytest.raises(SetupError, match=r"broken \(DivisionByZero \(SQLSTATE 22012\)\)"):
        watch.turn(told)
    assert [posted["subject"] for posted in hook.posted] == ["daily.py cannot be read"]
    monkeypatch.setattr(watch, "ABOUT_STATE", (broken,))
    with pytest.raises(SetupError):
        watch.turn(told)
    assert len(hook.posted) == 1, "what could not be looked at is not over"


def test_a_demo_says_nothing_about_time(
    told: Settings, conn: psycopg.Connection, airflow: psycopg.Connection, hook: Hook
) -> None:
    """A published town of 2022 on a machine of today."""
    put_publication(conn, date(2022, 7, 20))
    put_run(airflow, "landing", "r", start_date=datetime(2022, 7, 21, tzinfo=SHANGHAI))
    clock.set_demo_clock(told.home, datetime(2022, 7, 21, 8, tzinfo=SHANGHAI))
    try:
        assert watch.turn(told)["notices"] == 0
    finally:
        (told.home / clock.FILE).unlink()
    assert watch.turn(told)["notices"] > 0
    assert "2022-07-20" in str(hook.posted)
