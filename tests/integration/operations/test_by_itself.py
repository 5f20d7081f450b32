"""A home that is started once and left alone: real services, real clock of a demo, real mail; nobody types a command."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import psutil
import psycopg
import pytest
import trustme

from tests import support
from tests.servers import MailServer, TlsController, free_port, server_context, smtp_connection
from yingjian import clock, simulate
from yingjian.database import warehouse
from yingjian.database.airflow_database import ask_airflow
from yingjian.database.embedded import EmbeddedPostgres
from yingjian.publishing import build as builds
from yingjian.settings import Settings

pytestmark = pytest.mark.beyond

DAY = date(2022, 7, 20)
SPEED = 30.0  # The clock runs so many seconds per second: the deadline of 05:30 comes eleven minutes after midnight.
OFFICIALS = """
officials:
  - {login: director, name: 街道主要领导, audience: office, may: [release, sign_off],
     receives: [{channel: mail, to: director@example.org}]}
"""
REQUIRED = ("test_results", "arrivals", "pharmacy_purchases")


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The fixture makes a small town's exports of sixteen days, up to DAY."""
    folder = tmp_path_factory.mktemp("exports")
    simulate.write_landing(folder, persons=600, days=16, seed=7, last_day=DAY)
    return folder


@pytest.fixture
def mail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    server = MailServer(free_port())
    controller = TlsController(server, server_context(authority), implicit=False)
    controller.start()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", smtp_connection(server.port))
    yield server
    controller.stop()


class Home:
    """This is a home and its landing location, with `yingjian up` at work."""

    def __init__(self, settings: Settings, exports: Path) -> None:
        self.settings = settings
        self.settings.officials.write_text(OFFICIALS, encoding="utf-8")
        self.exports = exports
        self.process: subprocess.Popen[bytes] | None = None

    def up(self, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "yingjian.cli", "up"],
            env={
                **os.environ, "YINGJIAN_HOME": str(self.settings.home), "YINGJIAN_PORT": str(free_port()),
                "YINGJIAN_PORTAL_PORT": str(free_port()),
                "YINGJIAN_LANDING_MINUTES": "0.5", **environment,
            },
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def down(self) -> None:
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(300)  # Nothing is asserted on the time; a busy machine takes more than a minute.

    def drop(self, wanted: Callable[[Path], bool]) -> None:
        """Put files of the exports where landing looks, whole at once, as a sender does that renames."""
        for path in sorted(self.exports.glob("*/*")):
            target = Path(self.settings.landing) / path.parent.name / path.name
            if wanted(path) and not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, target.with_suffix(".part"))
                target.with_suffix(".part").rename(target)

    def ask(self, query: str) -> list[tuple]:  # type: ignore[type-arg]
        return support.query(self.settings, query)

    def wait_for(self, condition: Callable[[], bool], seconds: int = 600) -> None:
        """Limits how long a broken pipeline takes to fail the test; nothing is asserted on the time."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            assert self.process and self.process.poll() is None, "`yingjian up` ended"
            try:
                if condition():
                    return
            except Exception:  # The server or its tables are not there yet.
                pass
            time.sleep(1)
        raise AssertionError("it did not come to that")

    def airflow(self, *arguments: str) -> None:
        """The function runs Airflow's own command line, as the data team types it."""
        subprocess.run(
            [sys.executable, "-m", "yingjian.cli", "airflow", *arguments],
            env={**os.environ, "YINGJIAN_HOME": str(self.settings.home)}, check=True, capture_output=True,
        )  # fmt: skip

    def states(self, dag_id: str, task_id: str) -> list[str]:
        """The function returns the states of a task in all runs of its DAG."""
        rows = ask_airflow(
            self.settings, "select state from task_instance where dag_id = %s and task_id = %s", (dag_id, task_id)
        )
        return [state for (state,) in rows]

    def kill_services(self) -> None:
        """Kill -9 every service, and wait until they are there again."""
        services = json.loads((self.settings.home / "airflow" / "services.json").read_text())["services"]
        for service in services:
            os.kill(service[0], signal.SIGKILL)
        self.wait_for(lambda: not any(is_running(service[0]) for service in services))

    def staged(self) -> set[str]:
        return {feed for (feed,) in self.ask("select distinct feed from quality.landed_file where status = 'staged'")}

    def delivered(self) -> list[int]:
        """The publications whose pack reached everybody."""
        query = "select publication_id from delivery.attempt where what = 'pack' and state = 'sent' order by 1"
        return [number for (number,) in self.ask(query)]

    def publications(self) -> list[tuple]:  # type: ignore[type-arg]
        return self.ask(
            "select as_of_date, missing_feeds, is_correction from published.publication order by publication_id"
        )


@pytest.fixture
def home(tmp_path: Path, exports: Path) -> Iterator[Home]:
    (tmp_path / "home").mkdir()
    home = Home(Settings.load({"YINGJIAN_HOME": str(tmp_path / "home")}), exports)
    yield home
    home.down()
    EmbeddedPostgres(home.settings).stop()


def is_running(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def is_of_the_day(path: Path) -> bool:
    return f"{DAY:%Y%m%d}" in path.name


def shows(day: date, hour: int, minute: int) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=clock.SHANGHAI)


def test_a_day_whose_files_come_in_portions_is_published_delivered_and_corrected(home: Home, mail: MailServer) -> None:
    late = sorted(home.exports.glob(f"test_results/*{DAY:%Y%m%d}_u.csv"))
    home.drop(lambda path: not is_of_the_day(path))
    clock.set_demo_clock(home.settings.home, shows(DAY, 23, 55))
    home.up()
    home.wait_for(lambda: "vaccinations" in home.staged())
    clock.set_demo_clock(home.settings.home, shows(DAY + timedelta(days=1), 0, 1), SPEED)
    home.drop(lambda path: is_of_the_day(path) and path.parent.name not in REQUIRED)
    home.drop(lambda path: is_of_the_day(path) and path.parent.name in REQUIRED[1:])
    home.wait_for(lambda: bool(home.ask(f"""
        select from quality.landed_file where feed = 'arrivals' and newest_update >= '{DAY}'
    """)))  # fmt: skip
    assert home.publications() == []
    home.drop(lambda path: is_of_the_day(path) and path.parent.name == REQUIRED[0] and path not in late)
    home.wait_for(lambda: bool(home.publications()))
    assert home.publications() == [(DAY, [], False)]
    home.wait_for(lambda: home.delivered() == [1])
    home.drop(lambda path: path in late)
    home.wait_for(lambda: len(home.publications()) > 1)
    assert home.publications()[1] == (DAY, [], True)
    home.wait_for(lambda: home.delivered() == [1, 2])
    assert mail.recipients.count("director@example.org") >= 2
    assert "更正版" in (home.settings.reports / f"{DAY}-p2.html").read_text(encoding="utf-8")


def test_a_feed_that_does_not_come_is_waited_for_until_the_deadline_and_then_named(home: Home) -> None:
    home.drop(lambda path: not is_of_the_day(path) or path.parent.name != "test_results")
    clock.set_demo_clock(home.settings.home, shows(DAY, 23, 55))
    home.up(YINGJIAN_FEED_DEADLINE="00:40")
    home.wait_for(lambda: "vaccinations" in home.staged())
    clock.set_demo_clock(home.settings.home, shows(DAY + timedelta(days=1), 0, 1), SPEED)
    home.wait_for(lambda: bool(home.publications()))
    assert home.publications() == [(DAY, ["test_results"], False)]
    home.wait_for(lambda: bool(list(home.settings.reports.glob(f"{DAY}-p1.html"))))
    assert "核酸检测结果（截稿时当日数据未到）" in next(home.settings.reports.glob("*.html")).read_text(
        encoding="utf-8"
    )


def test_an_empty_home_waits_in_peace(home: Home) -> None:
    clock.set_demo_clock(home.settings.home, shows(DAY + timedelta(days=1), 6, 0), 1.0)
    home.up()
    home.wait_for(lambda: home.states("daily", "wait_for_feeds") == ["skipped"])
    assert home.publications() == []


def test_services_killed_while_a_day_waits(home: Home) -> None:
    """For its feeds, and for its turn: nothing is lost, and nobody needs to type anything."""
    home.drop(lambda path: not is_of_the_day(path))
    clock.set_demo_clock(home.settings.home, shows(DAY, 23, 55))
    home.up()
    home.wait_for(lambda: "vaccinations" in home.staged())
    clock.set_demo_clock(home.settings.home, shows(DAY + timedelta(days=1), 0, 1), 2.0)
    home.wait_for(lambda: home.states("daily", "wait_for_feeds") == ["deferred"])
    home.kill_services()
    with psycopg.connect(warehouse.uri(home.settings, "publisher")) as conn:
        owner = builds.by_hand(conn, DAY, lambda run_id: False, lambda: None)
        with owner:  # Somebody builds by hand, in this process, and the day has to wait for its turn.
            clock.set_demo_clock(
                home.settings.home, shows(DAY + timedelta(days=1), 5, 31), 2.0
            )  # The deadline has passed.
            home.wait_for(lambda: home.states("daily", "claim_build") == ["deferred"])
            home.kill_services()
            assert home.publications() == []
    home.wait_for(lambda: bool(home.publications()))
    [(day, missing, is_correction)] = home.publications()
    assert (day, sorted(missing), is_correction) == (DAY, sorted(REQUIRED), False)


def test_a_question_that_nobody_answers_and_the_next_day(home: Home) -> None:
    """The day before waits for a person; the day comes, is published all the same, and the question ends by itself."""
    home.drop(lambda path: True)
    clock.set_demo_clock(home.settings.home, shows(DAY + timedelta(days=1), 6, 0))
    home.up()
    home.wait_for(lambda: "vaccinations" in home.staged())
    spoil = "update staging.test_results set result = {} where sample_key = (select min(sample_key) from staging.test_results)"
    with warehouse.connect(home.settings) as conn:
        conn.execute(spoil.format("'不明'"))  # type: ignore[arg-type]
    home.airflow("dags", "trigger", "daily", "--conf", f'{{"date": "{DAY - timedelta(days=1)}"}}')
    home.wait_for(lambda: home.states("daily", "release_by_hand") == ["deferred"])
    with warehouse.connect(home.settings) as conn:
        conn.execute(spoil.format("'阴性'"))  # type: ignore[arg-type]
    home.airflow("dags", "trigger", "daily", "--conf", f'{{"date": "{DAY}"}}')
    home.wait_for(lambda: bool(home.publications()))
    assert home.publications() == [(DAY, [], False)]
    home.wait_for(lambda: "deferred" not in home.states("daily", "release_by_hand"))
    assert home.ask("select state from publishing.build order by build_id") == [("superseded",), ("published",)]


def test_five_days_asked_for_at_once_and_a_week_that_was_missed(home: Home) -> None:
    """A backfill of five days, by Airflow's own rule ten at once: five publications in order, readers on the newest date.

    Then two days pass while the home is switched off: they are made up, the oldest first, when it is switched on.
    """
    home.drop(lambda path: True)
    clock.set_demo_clock(home.settings.home, shows(DAY - timedelta(days=1), 6, 0))
    home.up()
    home.wait_for(lambda: "vaccinations" in home.staged())
    days = [DAY - timedelta(days=back) for back in (6, 5, 4, 3, 2)]
    home.airflow(
        "backfill", "create", "--dag-id", "daily", "--max-active-runs", "10",
        "--from-date", f"{days[0]}T00:00:00+08:00", "--to-date", f"{days[-1]}T00:00:00+08:00",
    )  # fmt: skip
    home.wait_for(lambda: len(home.publications()) == len(days), 1200)
    assert [day for day, _, _ in home.publications()] == days
    assert home.ask("select distinct as_of_date from publishing.built_mart") == [(days[-1],)]
    home.airflow("dags", "trigger", "daily", "--conf", f'{{"date": "{days[0]}"}}')
    home.wait_for(lambda: len(home.publications()) == len(days) + 1)
    assert home.ask("select as_of_date from reporting.publication") == [(days[-1],)]
    assert home.ask("select distinct as_of_date from reporting.compliance_daily order by 1") == [(day,) for day in days]
    home.down()
    clock.set_demo_clock(home.settings.home, shows(DAY + timedelta(days=1), 6, 0), 1.0)
    home.up()
    home.wait_for(lambda: home.ask("select as_of_date from reporting.publication") == [(DAY,)], 1200)
    made_up = [day for day, _, _ in home.publications()][len(days) + 1 :]
    assert made_up == sorted(made_up) and made_up[-1] == DAY
