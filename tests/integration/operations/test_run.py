"""`yingjian run` as a user types it: real Airflow, real dbt, real Great Expectations; killed, poisoned, released."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
import psycopg
import pytest
import trustme
from pypdf import PdfReader

from tests import marked, support
from tests.conftest import WORLD_DAY
from tests.servers import MailServer, TlsController, free_port, server_context, smtp_connection
from yingjian.database import warehouse
from yingjian.database.airflow_database import ask_airflow
from yingjian.database.embedded import EmbeddedPostgres
from yingjian.landing.feeds import FEEDS
from yingjian.operations import airflow_api, services, supervisor
from yingjian.publishing import decision
from yingjian.settings import Settings

pytestmark = pytest.mark.slow  # Whole days through Airflow, one of them killed.
YINGJIAN = [sys.executable, "-m", "yingjian.cli"]
PRINTED: list[str] = []  # Every command of this module uses it.
OFFICIALS = """
officials:
  - {login: director, name: 街道主要领导, audience: office, may: [release, sign_off], deputy: deputy,
     receives: [{channel: mail, to: director@example.org}]}
  - {login: deputy, name: 疫情分管领导, audience: office}
  - {login: grid, name: 社区网格员, audience: {community: 第1社区}, may: [persons],
     receives: [{channel: mail, to: grid@example.org}]}
  - {login: press, name: 宣传组, audience: office, receives: [{channel: folder, path: 对外发布, what: bulletin}]}
"""


@pytest.fixture(scope="module")
def home(world: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home of its own with the person key of the session's town, so that the same rows must come out."""
    settings = Settings.load(
        {"YINGJIAN_HOME": str(tmp_path_factory.mktemp("run")), "YINGJIAN_PERSON_KEY": world.secret("person_key")}
    )
    temporary_files(settings).mkdir()
    yield settings  # type: ignore[misc]
    EmbeddedPostgres(settings).stop()


def temporary_files(settings: Settings) -> Path:
    return settings.home / "tmp"


@pytest.fixture(scope="module")
def mail(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailServer]:
    """A mail server with TLS and a login, which this module's processes are told of."""
    folder, authority = tmp_path_factory.mktemp("mail"), trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    server = MailServer(free_port())
    controller = TlsController(server, server_context(authority), implicit=False)
    controller.start()
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("SSL_CERT_FILE", str(folder / "ca.pem"))
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", smtp_connection(server.port))
        yield server
    controller.stop()


def start(settings: Settings, landing: Path) -> subprocess.Popen[str]:
    environment = {
        **os.environ, "YINGJIAN_HOME": str(settings.home), "YINGJIAN_PERSON_KEY": settings.given_person_key or "",
        "TMPDIR": str(temporary_files(settings)),
    }  # fmt: skip
    return subprocess.Popen(
        [*YINGJIAN, "run", "--date", str(WORLD_DAY), "--landing", str(landing)],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def run(settings: Settings, landing: Path) -> subprocess.CompletedProcess[str]:
    process = start(settings, landing)
    out, err = process.communicate(timeout=900)
    PRINTED.extend([out, err])
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def wait_for(condition: Callable[[], bool], seconds: int = 1000) -> None:
    """Wait longer than Airflow takes to begin a task again whose start was lost (`task_queued_timeout`, 600 s)."""
    until = time.monotonic() + seconds
    last: Exception | None = None
    while time.monotonic() < until:
        try:
            if condition():
                return
            last = None
        except Exception as error:  # The server is not up yet.
            last = error
        time.sleep(0.2)
    raise AssertionError("it did not come to that") from last


def airflow_processes(sessions: list[int]) -> set[int]:
    """The function finds the services that lead these sessions, and their tasks, which stay in them when the leader dies."""
    pids = set()
    for process in psutil.process_iter(["cmdline"]):
        with suppress(OSError):  # It ended meanwhile.
            if os.getsid(process.pid) in sessions and "airflow" in " ".join(process.info["cmdline"] or []):
                pids.add(process.pid)
    return pids


def service_processes(settings: Settings) -> list[int]:
    airflow_home = f"{settings.home}/airflow"
    return [
        process.pid
        for process in psutil.process_iter(["environ"])
        if (process.info["environ"] or {}).get("AIRFLOW_HOME") == airflow_home
    ]


def models_in_airflow(home: Settings) -> set[tuple[str, str, object]]:
    """Each model with the state of its task in the newest run, and the rows that the task's XCom says."""
    rows = ask_airflow(
        home,
        """
        select task_id, state, value from task_instance inner join xcom using (dag_id, task_id, run_id)
        where dag_id = 'daily' and xcom.key = 'result'
        and run_id = (select run_id from dag_run where dag_id = 'daily' order by start_date desc limit 1)
        """,
    )
    return {(task.removeprefix("models.").removesuffix("_run"), state, value["rows"]) for task, state, value in rows}


def models_of_the_build(home: Settings) -> set[tuple[str, str, object]]:
    query = """
        select model, state, rows from operations.model_run
        where run_key = (select run_key from operations.model_run order by ended_at desc limit 1)
    """
    models = set(support.query(home, query))
    assert len(models) > 150
    assert {rows for name, _, rows in models if name.startswith("stg_")} == {None}, "a view makes no rows"
    return models


def test_killed_in_the_middle_then_the_same_command(
    home: Settings, world: Settings, simulated_landing: Path, mail: MailServer
) -> None:
    """The whole run is killed -9 while dbt works; the same command gives the rows of an undisturbed run, and delivers."""
    process = start(home, simulated_landing)
    wait_for(
        lambda: support.query(home, "select to_regclass('intermediate.int_sample__counting') is not null") == [(True,)]
    )
    os.killpg(process.pid, signal.SIGKILL)
    PRINTED.extend(process.communicate())
    assert support.query(home, "select count(*) from reporting.publication") == [(0,)]
    services = [pid for pid, _ in json.loads((home.home / "airflow" / "services.json").read_text())["services"]]
    left = airflow_processes(services)

    (home.home / "officials.yml").write_text(OFFICIALS, encoding="utf-8")
    done = run(home, simulated_landing)
    assert left and not left & airflow_processes(services), (
        "a task that outlived the kill does not work beside the new run"
    )
    assert done.returncode == 0, done.stderr
    assert f"{WORLD_DAY}: published; report " in done.stdout
    assert "open rows wait in quarantine: see `yingjian quarantine list`" in done.stdout
    assert "where the time went" in done.stdout and "Airflow start-up" in done.stdout
    assert support.marts(home) == support.marts(world)
    assert models_in_airflow(home) == models_of_the_build(home)
    [report] = (home.home / "reports").glob("*.html")
    assert "应检尽检日报" in report.read_text()

    assert f"{WORLD_DAY}: delivered" in done.stdout
    assert f"{WORLD_DAY}: the public figures wait to be signed off" in done.stdout
    packs, asked = mail.recipients.count("grid@example.org"), mail.recipients.count("director@example.org")
    assert (packs, asked) == (1, 2), "each got the pack, the director the request for the sign-off too"
    assert support.query(home, "select count(*) from reporting_public.public_figure") == [(0,)]
    (home.home / "officials.yml").rename(home.home / "officials.later")


def test_a_failed_audit_waits_for_a_person(
    home: Settings, world: Settings, tmp_path: Path, mail: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has the right releases it, nobody else; and the public figures are signed off by a deputy, not by a stranger."""
    monkeypatch.setenv("TMPDIR", str(temporary_files(home)))
    monkeypatch.setattr(supervisor, "SECONDS_LATER", 0)  # The triggerer, which sees the answers, need not start late.
    with warehouse.connect(home) as conn:
        conn.execute(
            "update staging.test_results set result = '不明' where sample_key = (select min(sample_key) from staging.test_results)"
        )
    (home.home / "officials.later").rename(home.home / "officials.yml")
    landing = tmp_path / "landing"
    landing.mkdir()
    marked.write(landing)  # Lands with this run, is published by hand, is looked for below.

    # The command uses the services that run already.
    with services.running_services(replace(home, landing=str(landing))) as airflow:
        done = run(home, landing)
        assert done.returncode == 1
        assert "not published: the audit failed" in done.stderr and "answer in the portal" in done.stderr
        assert support.marts(home) == support.marts(world)

        def is_over(dag_id: str, run_id: str) -> bool:
            return airflow._get(f"/api/v2/dags/{dag_id}/dagRuns/{run_id}")["state"] in airflow_api.FINISHED

        run_id = airflow._get("/api/v2/dags/daily/dagRuns", state="running")["dag_runs"][0]["dag_run_id"]
        for stranger in ("grid", "press", "admin"):
            with pytest.raises(decision.NotDecidedError, match="may not give it"):
                support.answer(home, "release", stranger, "化验室已电话确认", run_id=run_id)
        support.answer(home, "release", "director", "化验室已电话确认", run_id=run_id)
        wait_for(lambda: is_over("daily", run_id))
        assert support.query(home, "select quality_status, release_reason, released_by from reporting.publication") == [
            ("released_by_hand", "化验室已电话确认", "街道主要领导")
        ]

        # The question about the publication before is superseded by the new one, without anybody.
        wait_for(lambda: not airflow._get("/api/v2/dags/public_release/dagRuns", state="running")["dag_runs"])

        [(publication,)] = support.query(home, "select max(publication_id) from published.publication")
        server = (EmbeddedPostgres(home).data / "postmaster.pid").read_text().split()[0]
        for pid in {*service_processes(home), int(server)}:
            limit = next(line for line in Path(f"/proc/{pid}/limits").read_text().splitlines() if "core file" in line)
            assert limit.split()[4:6] == ["1", "1"], "no process with persons' data in its memory leaves a core file"
        conf = {"publication_id": publication}
        asked = airflow.run_dag("public_release", WORLD_DAY, conf)
        assert asked.state == "awaiting"
        for stranger in ("grid", "press"):
            with pytest.raises(decision.NotDecidedError, match="may not give it"):
                support.answer(home, "sign_off", stranger, run_id=asked.run_id)
        assert support.query(home, "select count(*) from reporting_public.public_figure") == [(0,)]
        support.answer(home, "sign_off", "deputy", run_id=asked.run_id)
        wait_for(lambda: is_over("public_release", asked.run_id))
    assert support.query(
        home, "select publication_id, decision, decided_by, reason from published.public_release order by decision_id"
    ) == [(publication, "released", "deputy", None)]
    assert support.query(home, "select publication_id from reporting_public.publication") == [(publication,)]
    assert len(list((home.home / "shared" / "对外发布" / f"{WORLD_DAY}-p{publication}").glob("bulletin.*"))) == 2
    assert support.query(home, "select actor, action from audit.event where action ~ 'release|sign_off' order by event_id") == [
        ("director", "release_decision"), ("director", "release"),
        ("deputy", "sign_off_decision"), ("deputy", "sign_off"),
    ]  # fmt: skip
    newest = max((home.home / "reports").glob("*.html"), key=lambda path: path.stat().st_mtime)
    assert "化验室已电话确认" in newest.read_text()


def surfaces(home: Settings) -> Iterator[tuple[str, bytes]]:
    """Whatever a run leaves that is not the warehouse, the files as they were sent, or a page for those who look for persons."""
    private_folders = (EmbeddedPostgres(home).data, home.pulled, home.home / "landing")
    for path in home.home.rglob("*"):
        is_for_finders = path.is_relative_to(home.reports) and path.name.startswith(("department-", "community-"))
        if is_for_finders or any(path.is_relative_to(folder) for folder in private_folders) or not path.is_file():
            continue
        yield str(path.relative_to(home.home)), path.read_bytes()
        if path.suffix == ".pdf":
            yield str(path.name), "".join(page.extract_text() for page in PdfReader(path).pages).encode()
        elif zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                yield from ((f"{path.name}/{name}", archive.read(name)) for name in archive.namelist())
    with psycopg.connect(warehouse.airflow_uri(home)) as conn:
        tables = conn.execute("select format('%I.%I', schemaname, tablename) from pg_tables where schemaname !~ '^pg_|^information'")  # fmt: skip
        for (table,) in tables.fetchall():
            rows = conn.execute(f"select t::text from {table} as t").fetchall()  # type: ignore[arg-type]
            yield f"Airflow's {table}", "\n".join(row for (row,) in rows).encode()
    yield "what the commands printed", "\n".join(PRINTED).encode()


def test_nothing_personal_outside_the_warehouse(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """After whole runs, failed and killed ones too: logs, XCom, templates, Data Docs, dbt's artifacts, pages, printed text.

    Marked persons were in every feed, in rows that were taken and rejected, in files that could not be read, and in
    names of files; what was taken of them is published.
    """
    landed = support.query(home, "select feed, count(*) filter (where status = 'staged'), count(*) filter (where status = 'rejected') from quality.landed_file where location like '%%/landing/%%' group by feed")  # fmt: skip
    marked_rows = support.query(home, "select feed from quality.rejected_row where raw_text like %s group by feed", f"%{marked.NAME}%")  # fmt: skip
    assert len(landed) == len(FEEDS) + 1 and len(marked_rows) == len(FEEDS), "they were there to be found"
    assert support.query(home, "select count(*) > 2 from restricted.person where name like %s", f"{marked.NAME}%") == [
        (True,)
    ]
    for command in (["status"], ["quarantine", "list"], ["audit", "verify"], ["quarantine", "resolve", "0", "--reason", "x"]):  # fmt: skip
        done = subprocess.run([*YINGJIAN, *command], env={**os.environ, "YINGJIAN_HOME": str(home.home)}, capture_output=True, text=True, check=False)  # fmt: skip
        PRINTED.extend([done.stdout, done.stderr])

    people = support.query(home, "select id_number, phone from restricted.person")
    numbers = {number.encode() for pair in people for number in pair if number and len(number) > 10}
    assert len(numbers) > 100
    file_count, marks_found = 0, []
    for name, content in surfaces(home):
        file_count += 1
        marks_found += [(name, mark) for mark in marked.MARKS if mark in content]
        digits = set(re.findall(rb"(?<![0-9A-Za-z])[0-9]{11,17}[0-9X]?(?![0-9A-Za-z])", content))
        marks_found += [(name, b"a number of somebody") for _ in digits & numbers]
    assert file_count > 300 and not marks_found, marks_found[:20]
    left = [path for folder in (temporary_files(home), home.home / "scratch") for path in folder.rglob("yingjian-*")]
    assert not left, "nothing unpacked or fetched is left"
    assert not [path for folder in (home.home, Path.cwd()) for path in folder.glob("core*") if path.is_file()]


def test_marks_would_be_found(home: Settings, tmp_path: Path) -> None:
    """The search itself: in a log, escaped in JSON, in a spreadsheet, in Airflow's database."""
    (home.home / "airflow" / "logs" / "leak.log").write_text(f"failed: {marked.NAME}")
    (home.home / "dbt" / "leak.json").write_text(json.dumps({"row": json.dumps([marked.NAME])}))
    with zipfile.ZipFile(home.reports / "leak.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("sheet.xml", marked.number(1))
    with psycopg.connect(warehouse.airflow_uri(home)) as conn:
        conn.execute("create table leak as select %s::text as said", (f"{marked.PHONE}01",))
    try:
        where = {name for name, content in surfaces(home) if any(mark in content for mark in marked.MARKS)}
    finally:
        with psycopg.connect(warehouse.airflow_uri(home)) as conn:
            conn.execute("drop table leak")
    assert where == {"airflow/logs/leak.log", "dbt/leak.json", "leak.xlsx/sheet.xml", "Airflow's public.leak"}


def test_bad_arguments_are_one_sentence(home: Settings, tmp_path: Path) -> None:
    missing = run(home, tmp_path / "nowhere")
    assert missing.returncode == 2
    assert missing.stderr.strip().startswith("yingjian: landing location") and len(missing.stderr.splitlines()) == 1
    shutil.rmtree(tmp_path)
