"""`yingjian status`: what is down, what waits for somebody, and the state behind it, without starting anything."""

from __future__ import annotations

import json
import socket
from collections import namedtuple
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from tests import metadata, support
from tests.conftest import WORLD_DAY
from tests.servers import Handler, serve
from yingjian import cli
from yingjian.database import warehouse
from yingjian.database.embedded import EmbeddedPostgres
from yingjian.modelling.dbt_project import prepare_manifest
from yingjian.operations import broker, service_processes, status, supervisor
from yingjian.orchestration import notices
from yingjian.settings import Settings

MORNING = datetime(2022, 7, 21, 7, tzinfo=status.SHANGHAI)
HEALTHY = {
    "scheduler": {"status": "healthy"},
    "dag_processor": {"status": "healthy"},
    "triggerer": {"status": "healthy"},
}


@pytest.fixture
def home(fresh_home: Settings) -> Settings:
    """The home has nothing but its tables."""
    return fresh_home


def command(settings: Settings, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setenv("YINGJIAN_HOME", str(settings.home))
    return cli.main(["status", *arguments])


@pytest.fixture
def airflow(home: Settings) -> Iterator[dict[str, object]]:
    """The home's API server says this of its components; a test may change it."""
    health: dict[str, object] = dict(HEALTHY)

    class Api(Handler):
        def do_GET(self) -> None:
            assert self.path == "/api/v2/monitor/health"
            self.answer(json.dumps(health).encode())

    server = serve(Api)
    record_services(home, server.server_port)
    yield health
    server.shutdown()


def record_services(home: Settings, port: int, *later: str) -> None:
    """As a supervisor that is this very process would have recorded them."""
    import os

    owner = service_processes.identity_of(os.getpid())
    state = {"owner": owner, "ports": {"api": port}, "services": [], "later": later}
    (home.home / "airflow").mkdir(exist_ok=True)
    (home.home / "airflow" / "services.json").write_text(json.dumps(state))


def test_a_published_town(world: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    values = status.collect(world, MORNING)
    assert values["down"] == []
    assert values["publication"]["as_of_date"] == WORLD_DAY.isoformat()
    assert values["publication"]["quality_status"] == "passed"
    assert values["quarantine"]["open_rows"] == sum(values["quarantine"]["by_feed"].values()) > 0
    feeds = {feed["feed"]: feed for feed in values["feeds"]}
    assert feeds["test_results"]["state"] == "ok" and feeds["test_results"]["age_hours"] is not None
    assert values["deliveries"] == {"states": {}, "words": []}
    assert values["disk"]["free_bytes"] > 0
    assert command(world, monkeypatch) == 0
    text = capsys.readouterr().out
    assert f"of {WORLD_DAY}, published " in text and "quarantine" in text and "none run in this home" in text
    [(warned,)] = support.query(
        world, "select count(*) from reporting.quality_check where severity = 'warn' and not success"
    )
    assert warned > 0 and f"checks: 0 failed, {warned} warned" in text, "a warning is no failure"
    assert len(text.splitlines()) < 65, "one screen"
    people = support.query(world, "select id_number, phone, name from restricted.person where length(name) > 2")
    assert not any(cell in text for person in people for cell in person)


def test_json_for_monitoring(
    world: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command(world, monkeypatch, "--json") == 0
    values = json.loads(capsys.readouterr().out)
    assert list(values) == [
        "at", "down", "attention", "services", "publication", "runs", "waiting", "audit", "feeds", "quarantine",
        "doubts", "deliveries", "is_migrated", "not_anchored", "import_errors", "manifest", "disk",
    ]  # fmt: skip
    assert any("the published day is 2022-07-20" in text for text in values["attention"]), "it is long ago"
    assert command(world, monkeypatch, "--strict") == 1


def test_the_day_is_late_the_noon_after_the_next(world: Settings) -> None:
    def is_late(moment: datetime) -> bool:
        return any("the published day is" in text for text in status.collect(world, moment)["attention"])

    ended = datetime(2022, 7, 21, tzinfo=status.SHANGHAI)
    assert not is_late(ended + timedelta(hours=36))
    assert is_late(ended + timedelta(hours=36, minutes=1))


def test_outlines_that_cannot_be_used_are_told(home: Settings) -> None:
    home.outlines.write_text("[]")
    try:
        told = [sentence for sentence in status.collect(home)["attention"] if "outlines" in sentence]
    finally:
        home.outlines.unlink()
    assert len(told) == 1
    assert "it is no FeatureCollection with features (docs/runbooks/portal.md)" in told[0]
    assert not [sentence for sentence in status.collect(home)["attention"] if "outlines" in sentence]


def test_before_the_first_run(
    home: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command(home, monkeypatch, "--strict") == 1
    shown = capsys.readouterr().out
    assert (
        "nothing published yet" in shown and "LOOK       nobody is told of failures: set YINGJIAN_ALERT_MAIL" in shown
    )
    assert "LOOK       the end of the audit trail" in shown
    monkeypatch.setenv("YINGJIAN_ALERT_WEBHOOK", "https://monitor.example/yingjian")
    monkeypatch.setenv("YINGJIAN_AUDIT_ANCHOR", "https://monitor.example/anchor")
    assert command(home, monkeypatch, "--strict") == 0
    assert "nobody is told" not in capsys.readouterr().out


def test_nothing_is_made_where_there_is_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command(Settings.load({"YINGJIAN_HOME": str(tmp_path / "none")}), monkeypatch) == 1
    assert "there is no warehouse in" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_the_warehouse_is_down(
    home: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    EmbeddedPostgres(home).stop()
    assert command(home, monkeypatch) == 1
    assert (
        "DOWN       the warehouse does not answer (OperationalError): see docs/runbooks/services.md"
        in capsys.readouterr().out
    )
    with pytest.raises(psycopg.OperationalError):
        warehouse.connect(home)


def test_services_are_up(home: Settings, airflow: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    values = status.collect(home)
    assert values["services"]["states"] == dict.fromkeys(supervisor.SERVICES, "healthy")
    assert status.exit_code(values) == 0


@pytest.mark.parametrize("component", HEALTHY)
def test_a_service_is_down(home: Settings, airflow: dict[str, object], component: str) -> None:
    airflow[component] = {"status": None}
    values = status.collect(home)
    assert values["down"] == [f"Airflow's {component.replace('_', '-')} does not work: see docs/runbooks/services.md"]
    assert status.exit_code(values) == 1


def test_a_service_that_starts_later_is_not_down(home: Settings, airflow: dict[str, object]) -> None:
    airflow["triggerer"] = {"status": None}
    record_services(home, service_processes.recorded_port(home) or 0, "triggerer")
    values = status.collect(home)
    assert values["down"] == [] and values["services"]["states"]["triggerer"] == "starts later"


def test_no_worker_answers(home: Settings, airflow: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "workers", lambda settings: [])
    with_broker = replace(home, broker="redis://127.0.0.1:1/0")
    assert status.collect(with_broker)["down"] == ["no worker answers: see docs/runbooks/services.md"]


def test_the_api_server_is_down(home: Settings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        record_services(home, taken.getsockname()[1])
        assert status.collect(home)["down"] == ["Airflow's api-server does not answer: see docs/runbooks/services.md"]


def test_what_somebody_must_look_at(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every reason, each with the runbook that says what to do."""
    with psycopg.connect(warehouse.airflow_uri(home)) as conn:
        metadata.put_run(
            conn, "daily", "r1", "success", start_date="2022-07-20", end_date="2022-07-20",
            data_interval_start="2022-07-18 16:00+00", conf="{}",
        )  # fmt: skip
        metadata.put_run(
            conn, "daily", "r2", "failed", start_date="2022-07-21 01:00+08", end_date="2022-07-21 01:01+08",
            data_interval_start="2022-07-20 16:00+00", conf='{"date": "2022-07-20"}',
        )  # fmt: skip
        metadata.put_run(conn, "landing", "r3", "success", start_date="2022-07-21", end_date="2022-07-21")
        for task in ("models.due_run", "build"):
            metadata.put_task(conn, "daily", "r2", task, "failed", start_date="2022-07-21")
    with warehouse.connect(home) as conn:
        conn.execute(
            """
            insert into published.publication values
                (1, '2022-07-20', '2022-07-21 03:00+08', 'beifeng-2', 'released_by_hand', 9, 1, 1, 1, 'x', 'why', 'who', null, 'k');
            insert into published.current values (true, 1);
            update published.publication set missing_feeds = '{test_results}';
            insert into publishing.question (needed_right, run_id, as_of_date, build_token, asked_at, ends_at)
                values ('release', 'r4', '2022-07-20', gen_random_uuid(), '2022-07-21 02:00+08', now() + interval '1 day');
            insert into delivery.attempt
                (publication_id, what, official, channel, number, target, audience_kind, audience, not_before, state, error)
                select 1, 'pack', official, 'mail', 1, official || '@example.org', 'office', official, now(), state, '无法连接'
                from (values ('a', 'sent'), ('b', 'bounced'), ('c', 'failed'), ('d', 'failed')) as tried (official, state);
            insert into quality.check_result
                (as_of_date, suite, check_name, table_name, severity, success, failing_rows, message) values
                ('2022-07-20', 'build.due', 'some', 'due', 'fail', false, 3, '不一致'),
                ('2022-07-20', 'build.due', 'other', 'due', 'warn', false, null, '偏少');
            insert into quality.landed_file (feed, file_name, location, modified_at, size_bytes, status, reason)
                values ('arrivals', 'a.csv', 'a.csv', now(), 1, 'rejected', '缺少列')
            """
        )
    monkeypatch.setattr(status.shutil, "disk_usage", lambda _: namedtuple("Usage", "total free")(100 << 30, 1 << 30))  # type: ignore[attr-defined]
    values = status.collect(home, MORNING)
    assert values["attention"] == [
        "daily.release_by_hand has waited for a person since 2022-07-21 02:00: see docs/runbooks/daily.md",
        "the last run of daily (2022-07-20) failed in build, models.due_run: see docs/runbooks/daily.md",
        "the published day was built without test_results: see docs/runbooks/daily.md",
        "the current publication was released by hand: see docs/runbooks/daily.md",
        "the last audit failed 1 critical checks: see docs/runbooks/checks.md",
        "feed arrivals: 1 files were rejected: see docs/runbooks/landing.md",
        "deliveries of the current publication: 2 failed, 1 bounced: see docs/runbooks/delivery.md",
        f"1.0 GiB free for {home.home}: see docs/runbooks/services.md",
        status.NO_ANCHOR,
        f"{notices.UNSET}: see docs/runbooks/watch.md",
    ]
    assert [run["dag"] for run in values["runs"]] == ["daily", "landing"]
    assert values["runs"][0]["business_date"] == "2022-07-20" and values["runs"][0]["seconds"] == 60
    text = status.render(values)
    assert (
        "last audit: fail build.due.some (3 rows): 不一致" in text
        and "deliveries of publication 1 of 2022-07-20: 1 bounced, 2 failed, 1 sent" in text
    )
    assert status.exit_code(values) == 0 and status.exit_code(values, strict=True) == 1


@pytest.mark.slow
def test_a_dag_that_airflow_cannot_read(home: Settings, airflow: dict[str, object]) -> None:
    assert status.collect(home)["down"] == []
    with psycopg.connect(warehouse.airflow_uri(home)) as conn:
        trace = "Traceback (most recent call last):\n  File ...\nValueError: Expecting value: line 1"
        metadata.put(conn, "import_error", filename="daily.py", stacktrace=trace, timestamp=MORNING, bundle_name="dags-folder")  # fmt: skip
    assert status.collect(home)["down"] == [
        "Airflow cannot read daily.py (ValueError: Expecting value: line 1): see docs/runbooks/services.md"
    ]


@pytest.mark.slow
def test_a_broken_manifest_is_seen_and_mended(home: Settings) -> None:
    manifest = home.dbt_target / "manifest.json"
    whole = manifest.read_bytes()
    for content in (whole[: len(whole) // 2], b"", b"{}"):
        manifest.write_bytes(content)
        values = status.collect(home)
        assert values["manifest"] == "broken"
        assert any("the dbt manifest" in text and "is broken" in text for text in values["attention"])
    assert prepare_manifest(home) == manifest
    assert json.loads(manifest.read_text())["nodes"].keys() == json.loads(whole)["nodes"].keys()
    assert status.collect(home)["manifest"] == "ok"
    written = manifest.stat().st_mtime_ns
    prepare_manifest(home)
    assert manifest.stat().st_mtime_ns == written, "what is whole is not parsed again"
