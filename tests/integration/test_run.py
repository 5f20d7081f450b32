"""`yingjian run` as a user types it: real Airflow, real dbt, real Great Expectations; killed, poisoned, released."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psycopg
import pytest

from tests import support
from tests.conftest import WORLD_DAY
from yingjian import services, warehouse
from yingjian.settings import Settings
from yingjian.warehouse.embedded import EmbeddedPostgres

YINGJIAN = [sys.executable, "-m", "yingjian.cli"]


@pytest.fixture(scope="module")
def home(world: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home of its own with the person key of the session's town, so that the same rows must come out."""
    settings = Settings.load(
        {"YINGJIAN_HOME": str(tmp_path_factory.mktemp("run")), "YINGJIAN_PERSON_KEY": world.secret("person_key")}
    )
    yield settings  # type: ignore[misc]
    EmbeddedPostgres(settings).stop()


def start(settings: Settings, landing: Path) -> subprocess.Popen[str]:
    environment = {
        **os.environ, "YINGJIAN_HOME": str(settings.home), "YINGJIAN_PERSON_KEY": settings.given_person_key or "",
    }  # fmt: skip
    return subprocess.Popen(
        [*YINGJIAN, "run", "--date", str(WORLD_DAY), "--landing", str(landing)],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def run(settings: Settings, landing: Path) -> subprocess.CompletedProcess[str]:
    process = start(settings, landing)
    out, err = process.communicate(timeout=400)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def wait_for(condition: Callable[[], bool], seconds: int = 200) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if condition():
                return
        except Exception:  # the server is not up yet
            pass
        time.sleep(0.2)
    raise AssertionError("it did not come to that")


def airflow_processes(sessions: list[int]) -> set[int]:
    """The services that lead these sessions, and their tasks, which stay in them when the leader dies."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            in_session = int(stat.read_text().rsplit(")", 1)[1].split()[3]) in sessions
            if in_session and b"airflow" in (stat.parent / "cmdline").read_bytes():
                found.add(int(stat.parent.name))
        except (OSError, ValueError, IndexError):
            continue
    return found


def service_processes(settings: Settings) -> list[int]:
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"AIRFLOW_HOME={settings.home}/airflow".encode() in environ.read_bytes():
                found.append(int(environ.parent.name))
        except OSError:
            continue
    return found


def test_killed_in_the_middle_then_the_same_command(home: Settings, world: Settings, simulated_landing: Path) -> None:
    """The whole run is killed -9 while dbt works; the same command gives the rows of an undisturbed run."""
    process = start(home, simulated_landing)
    wait_for(
        lambda: support.query(home, "select to_regclass('intermediate.int_sample__counting') is not null") == [(True,)]
    )
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert support.query(home, "select count(*) from reporting.publication") == [(0,)]
    services = [pid for pid, _ in json.loads((home.home / "airflow" / "services.json").read_text())["services"]]
    left = airflow_processes(services)

    done = run(home, simulated_landing)
    assert left and not left & airflow_processes(services), (
        "a task that outlived the kill does not work beside the new run"
    )
    assert done.returncode == 0, done.stderr
    assert f"{WORLD_DAY}: published; report " in done.stdout
    assert "where the time went" in done.stdout and "Airflow start-up" in done.stdout
    assert support.marts(home) == support.marts(world)
    [report] = (home.home / "reports").glob("*.html")
    assert "应检尽检日报" in report.read_text()


def test_the_same_date_twice_with_the_scheduler_and_the_server_killed(
    home: Settings, world: Settings, simulated_landing: Path
) -> None:
    """A service that dies in the middle is started again; whether the run ends well or not, nothing half is seen."""
    before = support.query(home, "select publication_id from reporting.publication")
    process = start(home, simulated_landing)
    wait_for(lambda: support.query(home, "select to_regclass('build.obligation') is not null") == [(True,)])
    for pid in service_processes(home):
        if "scheduler" in Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " "):
            os.kill(pid, signal.SIGKILL)
            break
    process.communicate(timeout=400)
    assert support.marts(home) == support.marts(world), "readers see the last publication or an equal one"
    if process.returncode != 0:
        assert run(home, simulated_landing).returncode == 0
    after = support.query(home, "select publication_id from reporting.publication")
    assert after > before
    assert support.marts(home) == support.marts(world), "only the publication id changed"


def test_a_failed_audit_waits_for_a_person_in_airflow(home: Settings, world: Settings, tmp_path: Path) -> None:
    with warehouse.connect(home) as conn:
        conn.execute(
            "update staging.test_results set result = '不明' where sample_key = (select min(sample_key) from staging.test_results)"
        )
    empty = tmp_path / "landing"
    empty.mkdir()
    done = run(home, empty)
    assert done.returncode == 1
    assert "not published: the audit failed" in done.stderr and "release_by_hand" in done.stderr
    assert support.marts(home) == support.marts(world)

    with services.running_services(home) as airflow:
        run_id = airflow._get("/api/v2/dags/daily/dagRuns", state="running")["dag_runs"][0]["dag_run_id"]
        path = f"/api/v2/dags/daily/dagRuns/{run_id}/taskInstances/release_by_hand/-1/hitlDetails"
        with pytest.raises(httpx.HTTPStatusError):
            httpx.patch(airflow.url + path, json={"chosen_options": ["Approve"]}).raise_for_status()
        airflow._request(
            "PATCH", path, json={"chosen_options": ["Approve"], "params_input": {"reason": "化验室已电话确认"}}
        )
        wait_for(lambda: airflow._get(f"/api/v2/dags/daily/dagRuns/{run_id}")["state"] in services.FINISHED)
    assert support.query(home, "select quality_status, release_reason, released_by from reporting.publication") == [
        ("released_by_hand", "化验室已电话确认", services.ADMIN)
    ]
    newest = max((home.home / "reports").glob("*.html"), key=lambda path: path.stat().st_mtime)
    assert "化验室已电话确认" in newest.read_text()


def test_nothing_personal_in_logs_xcom_docs_or_reports(home: Settings) -> None:
    """After whole runs, failed and killed ones too: no document number, telephone or name outside the warehouse."""
    people = support.query(home, "select id_number, phone, name from restricted.person where length(name) > 2")
    numbers = {number for number, _, _ in people} | {phone for _, phone, _ in people}
    assert len(numbers) > 100
    texts = [
        path
        for folder in ("airflow", "data_docs", "dbt", "reports")
        for path in (home.home / folder).rglob("*")
        if path.is_file() and path.suffix in (".log", ".html", ".json", ".txt", ".sql", "")
    ]
    assert len(texts) > 50
    for path in [*texts, EmbeddedPostgres(home).folder / "server.log"]:
        content = path.read_text(errors="replace")
        assert not any(number in content for number in numbers), path.name
    with psycopg.connect(warehouse.airflow_uri(home)) as conn:
        for table in ("xcom", "rendered_task_instance_fields", "log", "dag_run"):
            content = "\n".join(str(row) for row in conn.execute(f"select t::text from {table} as t"))  # type: ignore[arg-type]
            assert not any(number in content for number in numbers), table


def test_bad_arguments_are_one_sentence(home: Settings, tmp_path: Path) -> None:
    missing = run(home, tmp_path / "nowhere")
    assert missing.returncode == 2
    assert missing.stderr.strip().startswith("yingjian: landing location") and len(missing.stderr.splitlines()) == 1
    shutil.rmtree(tmp_path)
