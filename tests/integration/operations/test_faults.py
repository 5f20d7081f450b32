"""The fault matrix: each fault in the midst of each stage. Readers poll throughout, and the stage done again completes.

A run is these stages, one after the other. Airflow's own faults are in `test_faults_in_airflow.py`.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from glob import glob
from pathlib import Path

import psycopg
import pytest

from tests import support
from tests.conftest import WORLD_DAY
from tests.faults import Reader, polling
from tests.integration.database.test_embedded import kill_server
from tests.stages import PACKS
from tests.support import IDENTITY, query, write_feed
from yingjian import cli
from yingjian.database import embedded, warehouse
from yingjian.database.embedded import EmbeddedPostgres
from yingjian.reports.content.audiences import readers_of
from yingjian.reports.packs import write_packs, write_report
from yingjian.settings import PROJECT_ROOT, Settings

STAGES = ("landing", "models", "audit", "publish", "switch", "report")
FAULTS = ("process killed", "connections dropped", "database killed", "disk full")
# Each stage and each fault is among these pairs; `make test-beyond` has all others too.
PAIRS = {
    ("landing", "process killed"),
    ("models", "database killed"),
    ("audit", "connections dropped"),
    ("publish", "disk full"),
    ("switch", "process killed"),
    ("report", "connections dropped"),
}
MATRIX = [
    pytest.param(stage, fault, marks=() if (stage, fault) in PAIRS else pytest.mark.beyond)
    for stage in STAGES  # A publication's reference serves the reports of all faults.
    for fault in FAULTS
]
SERVICES = ("loader", "transformer", "auditor", "publisher", "reporter")
DISK = "3g"


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, published_town: Settings) -> Iterator[Settings]:
    """A published town, on a disk of its own that can be made too small where this process may mount one."""
    disk = tmp_path_factory.mktemp("faults") / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(disk)], check=False, capture_output=True)
    (disk / "home").mkdir()
    settings = support.copy_home(published_town, disk / "home")
    try:
        yield settings
    finally:
        EmbeddedPostgres(settings).stop()
        subprocess.run(["umount", "-l", str(disk)], check=False, capture_output=True)


@pytest.fixture
def reader(town: Settings) -> Iterator[Reader]:
    with polling(town) as running:
        yield running


def start(
    town: Settings, stage: str, argument: str = "", *, is_hooked: bool = False, **env: str
) -> subprocess.Popen[str]:
    environment = {**os.environ, "YINGJIAN_HOME": str(town.home), **env}
    if stage == "landing":
        environment["YINGJIAN_LANDING"] = argument
    if is_hooked:
        environment["YINGJIAN_TEST_HOOK"] = "1"
    return subprocess.Popen(
        [sys.executable, "-m", "tests.stages", stage, argument], cwd=PROJECT_ROOT, env=environment, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def complete(process: subprocess.Popen[str]) -> None:
    out, err = process.communicate()
    assert process.returncode == 0, (out + err)[-3000:]


def wait_for_midst(process: subprocess.Popen[str]) -> None:
    assert process.stdout
    for line in process.stdout:
        if line == "here\n":
            return
    raise AssertionError(process.communicate()[1][-3000:])


# These functions say what a stage needs before, and what must be there after.


def prepare(town: Settings, stage: str, folder: Path) -> str:
    """The function prepares the stage's input; it returns the stage's argument."""
    match stage:
        case "landing":
            common = {
                **IDENTITY,
                "剂次": "1",
                "疫苗": "灭活",
                "接种日期": "2022-01-01",
                "更新时间": "2022-07-01 08:00:00",
            }
            for i in range(5):
                rows = [common | {"记录编号": f"{folder.name}-{i}-{j}"} for j in range(300)]
                write_feed(folder, "vaccinations", rows, f"{i}.csv")
            return str(folder)
        case "report":
            shutil.rmtree(town.reports, ignore_errors=True)  # An earlier test may have written the same publication's.
            return str(query(town, "select publication_id from reporting.publication")[0][0])
    run_id = f"run {folder.name}"
    if stage == "models":
        support.claim(town, WORLD_DAY, run_id)
    else:
        support.rebuild(town, run_id, is_audited=stage != "audit")
    return run_id


def check(town: Settings, stage: str, argument: str, before: dict[str, list[tuple]]) -> None:  # type: ignore[type-arg]
    """The stage, done again, has done all of its work and nothing twice."""
    match stage:
        case "landing":
            keys = f"{Path(argument).name}-%"
            assert query(town, "select count(*) from staging.vaccinations where vaccination_key like %s", keys) == [(1500,)]  # fmt: skip
            assert query(town, "select bool_and(rows_read = rows_staged + rows_rejected + rows_superseded), count(*) filter (where location like %s) from quality.landed_file", f"%{argument}%") == [(True, 5)]  # fmt: skip
        case "models":
            assert query(town, "select count(*) > 0 from build.vaccination_60plus") == [(True,)]
            assert query(town, "select count(*) from publishing.built_mart inner join publishing.build using (token) where run_id = %s and mart in ('vaccination_60plus', 'disinfection_daily')", argument) == [(2,)]  # fmt: skip
        case "audit":
            assert query(town, "select count(*) > 50 from quality.check_result inner join publishing.build on token = build_token where run_id = %s", argument) == [(True,)]  # fmt: skip
        case "publish" | "switch":
            published = query(town, "select run_key, (select count(*) from published.staged) from published.publication where publication_id = (select publication_id from published.current)")  # fmt: skip
            assert published == [(argument, 0)]
            assert support.marts(town) == before
        case "report":
            assert pages(town, argument) == reference(town, argument)


def pages(town: Settings, publication: str) -> dict[str, str]:
    folder = town.reports / f"{WORLD_DAY}-p{publication}"
    files = [town.reports / f"{WORLD_DAY}-p{publication}.html", *folder.glob("[a-z]*")]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@cache
def reference(town: Settings, publication: str) -> dict[str, str]:
    """The function writes the same pages without a disturbance, once for each publication."""
    out = town.home / "reference"
    with warehouse.connect(town) as conn:
        files = [write_report(conn, int(publication), out)]
        readers = readers_of(conn, int(publication), None)[:PACKS]
        for pack in write_packs(conn, int(publication), out, readers):
            files += [*pack.files, pack.summary]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


# These functions make the faults.


def used_bytes(folder: Path) -> int:
    disk = os.statvfs(folder)
    return (disk.f_blocks - disk.f_bfree) * disk.f_frsize


def resize(town: Settings, size: str) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", str(town.home.parent)], check=True, capture_output=True)


def hurt(town: Settings, fault: str, process: subprocess.Popen[str], reader: Reader) -> None:
    match fault:
        case "process killed":
            process.kill()
        case "connections dropped":
            with psycopg.connect(EmbeddedPostgres(town).uri("postgres", "yingjian")) as conn:
                conn.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity where usename = any(%s)", (list(SERVICES),)
                )
        case "database killed":
            reader.is_down = True
            kill_server(town)
            warehouse.ensure_running(town)
        case "disk full":
            if not town.home.parent.is_mount():
                pytest.skip("this process may not mount a file system of its own")
            # A server that cannot write its log stops until there is room: then nobody can read either.
            reader.is_down = True
            resize(town, str(used_bytes(town.home) + 40960))


def mend(town: Settings, fault: str, reader: Reader) -> None:
    if fault == "disk full":
        resize(town, DISK)
    warehouse.ensure_running(town)
    reader.is_down = False
    reader.wait_for_polls()


@pytest.mark.slow
@pytest.mark.parametrize(("stage", "fault"), MATRIX)
def test_in_the_midst_of_a_stage(town: Settings, reader: Reader, tmp_path: Path, stage: str, fault: str) -> None:
    before = support.marts(town)
    folder = tmp_path / f"{STAGES.index(stage)}{FAULTS.index(fault)}"
    folder.mkdir()
    argument = prepare(town, stage, folder)
    process = start(town, stage, argument, is_hooked=True)
    wait_for_midst(process)
    try:
        hurt(town, fault, process, reader)
        try:
            process.communicate("go on\n")
        except BrokenPipeError:
            process.wait()
        if not reader.is_down:
            reader.wait_for_polls()
        if fault == "process killed":
            assert process.returncode == -signal.SIGKILL
    finally:
        process.kill()
        mend(town, fault, reader)
    complete(start(town, stage, argument))
    check(town, stage, argument, before)


@pytest.mark.slow
@pytest.mark.parametrize(
    "stage", ["landing", *(pytest.param(stage, marks=pytest.mark.beyond) for stage in ("report", "publish"))]
)
def test_two_at_once(town: Settings, reader: Reader, tmp_path: Path, stage: str) -> None:
    before = support.marts(town)
    argument = prepare(town, stage, tmp_path)
    both = [start(town, stage, argument) for _ in range(2)]
    for process in both:
        complete(process)
    check(town, stage, argument, before)


def test_two_runs_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The second one is refused in one sentence: models and audit are never at work twice in one home."""
    monkeypatch.setenv("YINGJIAN_HOME", str(tmp_path))
    (tmp_path / "landing").mkdir()
    with (tmp_path / "run.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert cli.main(["run", "--date", "2022-07-20"]) == 2
    message = capsys.readouterr().err
    assert "another `yingjian run` works in" in message and len(message.splitlines()) == 1


@pytest.mark.beyond
def test_the_clock_set_back(town: Settings, reader: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Server and program wake up two days earlier: what is newest is told by numbers, not by a clock."""
    libraries = glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
    if not libraries:
        pytest.skip("libfaketime is not installed (Debian: libfaketime)")
    earlier = {"LD_PRELOAD": libraries[0], "FAKETIME": "-2d", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    before = support.marts(town)
    support.build(town, WORLD_DAY)  # Crashes of the server emptied what the audit compares the marts with.
    landing, argument = prepare(town, "landing", tmp_path), prepare(town, "publish", tmp_path)
    really_run = subprocess.run

    def run_earlier(command: list[str], **options: object) -> object:
        if command[0].endswith("pg_ctl"):
            options["env"] = {**options["env"], **earlier}  # type: ignore[dict-item]
        return really_run(command, **options)  # type: ignore[call-overload]

    try:
        reader.is_down = True
        for _ in range(3):  # A server that is still stopping would be taken for one that was started again.
            with monkeypatch.context() as patch:
                EmbeddedPostgres(town).stop()
                patch.setattr(embedded.subprocess, "run", run_earlier)
                warehouse.ensure_running(town)
            is_earlier = query(town, "select now() < max(published_at) from published.publication")
            if is_earlier == [(True,)]:
                break
        else:
            pytest.skip("libfaketime did not set back the server's clock")
        mend(town, "clock", reader)
        complete(start(town, "landing", landing, **earlier))
        check(town, "landing", landing, before)
        complete(start(town, "audit", argument, **earlier))
        complete(start(town, "publish", argument, **earlier))
        check(town, "publish", argument, before)
        publication = prepare(town, "report", tmp_path)
        complete(start(town, "report", publication, **earlier))
        check(town, "report", publication, before)
        with warehouse.connect(town) as conn:
            from yingjian.privacy import audit_trail

            audit_trail.record(conn, "tester", "export", "with the clock set back")
            assert audit_trail.verify(conn, tmp_path / "end.json").broken is None
    finally:
        reader.is_down = True
        EmbeddedPostgres(town).stop()
        mend(town, "clock", reader)
    argument = prepare(town, "publish", tmp_path / "today")
    complete(start(town, "publish", argument))
    check(town, "publish", argument, before)
