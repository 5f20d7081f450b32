"""The pipeline with Spark as its engine, from landing to the published report: by command, with an executor killed, and on its
schedule, with the driver killed.

One town goes through two days. Each is compared with the same day of the same town on PostgreSQL.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import psutil
import pytest

from tests import support
from tests.conftest import HomeFactory
from tests.integration.modelling.test_spark import Rows, in_order
from tests.integration.operations.test_by_itself import SPEED, Home, shows
from yingjian import clock, simulate
from yingjian.database import warehouse
from yingjian.database.airflow_database import ask_airflow
from yingjian.modelling import engine
from yingjian.modelling.dbt import BuildError, NodeResult
from yingjian.modelling.marts import QUALITY_CHECK, published
from yingjian.people.officials import read_officials
from yingjian.reports.packs import write_report
from yingjian.settings import Settings

pytestmark = pytest.mark.beyond

SECOND = date(2022, 7, 19)
FIRST = SECOND - timedelta(days=1)
# Nothing is delivered: the reference has no deliveries either.
OFFICIALS = "officials: [{login: director, name: 街道主要领导, audience: office, may: [release, sign_off]}]\n"
MARTS = sorted(published().keys() - {QUALITY_CHECK.name})
WHEN_LANDED = {"feed_sender_daily": "last_at", "rejection_by_sender": "oldest_at"}  # These columns have it.
EXECUTOR = "CoarseGrainedExecutorBackend"


@dataclass
class Town:
    """The same town in two homes: `home` has Spark as its engine, `reference` has PostgreSQL."""

    home: Home
    reference: Settings

    @property
    def settings(self) -> Settings:
        return self.home.settings

    def land(self, day: date) -> None:
        """Put the files up to the end of a day where both homes land from."""
        self.home.drop(lambda path: re.findall(r"\d{8}", path.name)[0] <= f"{day:%Y%m%d}")

    def driver(self) -> int:
        """The process that builds on Spark."""
        for process in psutil.process_iter(["cmdline"]):
            words = process.info["cmdline"] or []
            if "yingjian.modelling.spark_models" in words and str(self.settings.spark / "built") in words:
                return process.pid
        raise LookupError("Spark is not at work")

    def executors(self) -> list[int]:
        return [
            process.pid
            for process in psutil.process_iter(["cmdline"])
            if any(EXECUTOR in word for word in process.info["cmdline"] or [])
            and os.getsid(process.pid) == self.driver()
        ]

    def built(self) -> int:
        """How many models have files."""
        return len(list((self.settings.spark / "built").glob("2*/*")))

    def exported(self) -> set[str]:
        folder = self.settings.spark / "sources"
        return {str(path.relative_to(folder)) for path in folder.glob("*/*/*")}


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, home_factory: HomeFactory, spark_python: Path) -> Iterator[Town]:
    exports = tmp_path_factory.mktemp("exports")
    simulate.write_landing(exports, persons=250, days=12, seed=7, last_day=SECOND)
    home = Home(replace(home_factory("spark"), engine="spark", given_spark_python=str(spark_python)), exports)
    home.settings.officials.write_text(OFFICIALS, encoding="utf-8")
    yield Town(home, home_factory("reference"))
    home.down()


@pytest.fixture(autouse=True)
def on_spark(monkeypatch: pytest.MonkeyPatch, interpreted: None) -> None:
    monkeypatch.setenv("YINGJIAN_ENGINE", "spark")
    monkeypatch.setenv("YINGJIAN_SPARK_MASTER", "local[2]")


@contextmanager
def run(town: Town, day: date) -> Iterator[subprocess.Popen[str]]:
    """Have `yingjian run` at work; at the end it has published the day."""
    process = subprocess.Popen(
        [sys.executable, "-m", "yingjian.cli", "run", "--date", str(day)],
        env={**os.environ, "YINGJIAN_HOME": str(town.settings.home)},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        yield process
        out, _ = process.communicate(timeout=1800)
        assert process.returncode == 0 and f"{day}: published; report " in out, out[-6000:]
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str], seconds: int = 900) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        assert process.poll() is None, process.communicate()[0][-6000:]
        try:
            if condition():
                return
        except (LookupError, OSError, psutil.Error):  # Spark is not at work yet.
            pass
        time.sleep(0.3)
    raise AssertionError("it did not come to that")


def rows_of(settings: Settings, publication: int) -> dict[str, Rows]:
    marts = {}
    with warehouse.connect(settings) as conn:
        for mart in MARTS:
            cursor = conn.execute(f"select * from published.{mart} where publication_id = {publication}")  # type: ignore[arg-type]
            names = [column.name for column in cursor.description or []]
            left_out = names.index(WHEN_LANDED[mart]) if mart in WHEN_LANDED else None
            rows = [tuple(cell for place, cell in enumerate(row) if place != left_out) for row in cursor.fetchall()]
            marts[mart] = in_order([name for place, name in enumerate(names) if place != left_out], rows)
    return marts


def page(settings: Settings, publication: int, folder: Path, officials: Path) -> str:
    """The report of a publication, without when and by which code it was published."""
    with warehouse.connect(settings, "reporter") as conn:
        path = write_report(conn, publication, folder, read_officials(officials))
    text, is_left_out = re.subn(r"发布时间 [-\d]+ [\d:]+ · 程序版本 \S+ ·", "", path.read_text(encoding="utf-8"))
    assert is_left_out
    return text


def compare(town: Town, day: date, publication: int, folder: Path) -> None:
    """Publish the day on PostgreSQL, too, and compare every row and the page."""
    support.land_folder(town.reference, Path(town.settings.landing))
    assert support.run_day(town.reference, day) == publication
    ours, theirs = rows_of(town.settings, publication), rows_of(town.reference, publication)
    assert {
        mart: (ours[mart] - theirs[mart], theirs[mart] - ours[mart]) for mart in MARTS if ours[mart] != theirs[mart]
    } == {}
    assert sum(rows.total() > 1 for rows in ours.values()) > 25
    (folder / "spark").mkdir()
    (folder / "postgres").mkdir()
    officials = town.settings.officials
    ours_page = page(town.settings, publication, folder / "spark", officials)
    assert ours_page == page(town.reference, publication, folder / "postgres", officials)


def tries(town: Town) -> list[int]:
    query = "select try_number from task_instance where dag_id = 'daily' and task_id = 'build' order by start_date desc"
    return [number for (number,) in ask_airflow(town.settings, query)]


@pytest.mark.ci
def test_a_day_by_command_with_an_executor_killed(town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YINGJIAN_SPARK_MASTER", "local-cluster[2,1,1024]")
    town.land(FIRST)
    with run(town, FIRST) as process:
        wait_for(lambda: len(town.executors()) == 2 and town.built() > 40, process)
        os.kill(town.executors()[0], signal.SIGKILL)
    assert tries(town) == [1]
    compare(town, FIRST, 1, tmp_path)
    models = dict(
        support.query(town.settings, "select model, (state, seconds > 0, rows)::text from operations.model_run")
    )
    assert len(models) > 150 and all(result.startswith("(success,") for result in models.values())
    assert models["obligation"] == f"(success,t,{rows_of(town.settings, 1)['obligation'].total() - 1})"
    assert not (town.settings.spark / "built").exists()
    assert support.query(town.settings, "select count(*) from pg_tables where schemaname = 'spark'") == [(0,)]


def test_the_next_day_on_its_schedule_with_the_driver_killed(town: Town, tmp_path: Path) -> None:
    before = town.exported()
    landed = {file for (file,) in support.query(town.settings, "select file_id from quality.landed_file")}
    clock.set_demo_clock(town.settings.home, shows(SECOND + timedelta(days=1), 0, 1), SPEED)
    town.land(SECOND)
    town.home.up(YINGJIAN_CATCH_UP_DAYS="1")
    town.home.wait_for(lambda: town.built() > 20, 900)
    after = town.exported()
    os.kill(town.driver(), signal.SIGKILL)
    assert [day for day, *_ in town.home.publications()] == [FIRST]
    town.home.wait_for(lambda: len(town.home.publications()) == 2, 1500)
    assert tries(town)[0] == 2
    town.home.down()
    assert town.home.publications()[1][0] == SECOND
    # The second try exported nothing again, and the day itself what came and little else.
    assert town.exported() == after
    files = [int(name) for name in (Path(path).name.partition("-")[0] for path in after - before) if name != "all"]
    assert len([file for file in files if file not in landed]) > 10
    assert len(before & after) > 3 * len(before - after)
    compare(town, SECOND, 2, tmp_path)


def test_a_model_that_fails_is_named_with_its_line_and_the_publication_stays(town: Town) -> None:
    published = "select as_of_date from reporting.publication"
    before = support.query(town.settings, published)
    with warehouse.connect(town.settings) as conn:
        conn.execute("update policy.policy_parameter set value = 'wenn'")
    said: list[dict[str, NodeResult]] = []
    token = support.claim(town.settings, SECOND).token
    with pytest.raises(BuildError, match=r"^Spark could not build models/\S+\.sql.*, line \d+.*: CAST_INVALID_INPUT$"):
        engine.build(town.settings, SECOND, token, said.append)
    ((state,),) = [[model["state"] for model in results.values()] for results in said]
    assert state == "error"
    assert support.query(town.settings, published) == before != []
