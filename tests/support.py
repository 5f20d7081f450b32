"""Tests share these helpers: homes with a server of their own, and landing, dbt and publishing without Airflow."""

from __future__ import annotations

import csv
import io
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg

from tests.servers import free_port
from yingjian import quality
from yingjian.database import warehouse
from yingjian.database.embedded import EmbeddedPostgres
from yingjian.delivery import sign_off
from yingjian.landing.land import LandingSummary, land
from yingjian.modelling import dbt as building
from yingjian.modelling import dbt_project
from yingjian.modelling.marts import QUALITY_CHECK, published
from yingjian.operations import airflow_home, migration
from yingjian.people.officials import read_officials
from yingjian.publishing import build as builds
from yingjian.publishing import decision
from yingjian.publishing import publish as publishing
from yingjian.settings import PROJECT_ROOT, Settings

# The office's own documents, which the repository does not hold.
SHARED = Path(os.environ.get("YINGJIAN_SHARED") or PROJECT_ROOT.parent / "shared")
CASES = SHARED / "cases"
# Sessions share dbt's partial-parse file, so that dbt parses only what changed since the last one.
PARSED = PROJECT_ROOT / ".pytest_cache" / dbt_project.PARTIAL_PARSE
RUN = "test"  # The run that owns the schema `build` in tests.
IDENTITY = {"姓名": "陈测试", "证件类型": "居民身份证", "证件号码": "350503194205022751", "手机号": "13800000000"}


def make_home(folder: Path, *, durable: bool = True) -> Settings:
    """Return a home with a running server and all tables. Unless it is `durable`, its server runs without fsync.

    Its WAL is then kept small, too, because every copy of the home contains it.
    """
    settings = Settings.load({"YINGJIAN_HOME": str(folder)})
    warehouse.ensure_running(settings)
    if not durable:
        with psycopg.connect(EmbeddedPostgres(settings).uri("postgres", "postgres"), autocommit=True) as conn:
            for setting in ("fsync = off", "min_wal_size = '32MB'", "max_wal_size = '96MB'"):
                conn.execute(f"alter system set {setting}")  # type: ignore[arg-type]
            conn.execute("select pg_reload_conf()")
    migration.migrate(settings)
    return settings


def parse_project(settings: Settings) -> None:
    """Parse the project for a home."""
    with kept_parse(settings):
        dbt_project.prepare_manifest(settings)


@contextmanager
def kept_parse(settings: Settings) -> Iterator[None]:
    """Within the block, dbt parses only what changed since an earlier session."""
    if PARSED.exists():
        settings.dbt_target.mkdir(parents=True, exist_ok=True)
        shutil.copy(PARSED, settings.dbt_target)
    yield
    PARSED.parent.mkdir(exist_ok=True)
    making = PARSED.with_suffix(f".{os.getpid()}")
    shutil.copy(settings.dbt_target / PARSED.name, making)
    making.replace(PARSED)


def prepare_airflow(settings: Settings) -> None:
    """Create Airflow's home and its tables and parse the project, as the services do when they start."""
    environment = airflow_home.airflow_environment(settings, schedule=False, ports={"api": free_port()})
    airflow_home.prepare_home(settings, {**os.environ, **environment})


def home_for_copies(folder: Path) -> Settings:
    """Return a home whose server is stopped, so that it can be copied."""
    settings = Settings.load({"YINGJIAN_HOME": str(folder)})
    EmbeddedPostgres(settings).stop()
    return settings


def copy_home(source: Settings, folder: Path) -> Settings:
    """Copy a home and start the copy's server; the server of `source` is stopped."""
    EmbeddedPostgres(source).stop()
    for part in ("postgres", "secrets", "dbt", "airflow"):
        subprocess.run(["cp", "-a", str(source.home / part), str(folder)], check=True)
    (folder / "postgres" / "port").unlink()  # Copies have the same passwords, so two on one port could be confused.
    settings = Settings.load({"YINGJIAN_HOME": str(folder)})
    warehouse.ensure_running(settings)
    return settings


def discard(settings: Settings) -> None:
    """Have the server of a home end at once, without waiting for it; nobody uses the home again."""
    with suppress(FileNotFoundError, ProcessLookupError):
        postmaster = int((EmbeddedPostgres(settings).data / "postmaster.pid").read_text().split("\n")[0])
        os.kill(postmaster, signal.SIGQUIT)


def land_folder(settings: Settings, folder: Path) -> LandingSummary:
    return land(str(folder), warehouse.connector(settings, "loader"), settings.person_secret, settings.pulled)


def kill_landings(settings: Settings, folder: Path, times: int, seed: int) -> None:
    """Land a folder of test results several times, and kill the processes at random moments; none may leave half a file."""
    rng, kills = random.Random(seed), 0
    for _ in range(times):
        child = multiprocessing.get_context("fork").Process(target=land_folder, args=(settings, folder))
        child.start()
        child.join(rng.uniform(0.02, 0.4))
        kills += child.is_alive()
        child.kill()
        child.join()
        staged = query(settings, "select coalesce(sum(rows_staged), 0) from quality.landed_file")
        assert query(settings, "select count(*) from staging.test_results") == staged, "no half file"
    assert kills > 0


def empty_staging(settings: Settings) -> None:
    """Truncate all tables of landed data and of decisions about it."""
    with warehouse.connect(settings) as conn:
        tables = conn.execute("select tablename from pg_tables where schemaname = 'staging'").fetchall()
        staging = ", ".join(f"staging.{table}" for (table,) in tables)
        conn.execute(
            f"truncate quality.landed_file, quality.rejected_row, quality.layout_decision, quality.file_part,"
            f" quality.contradiction, portal.sending, portal.sent_file, portal.correction,"
            f" portal.correction_answer, {staging}"  # type: ignore[arg-type]
        )


@dataclass(frozen=True)
class DbtRun:
    success: bool
    stdout: str


def claim(settings: Settings, day: date, run_id: str = RUN) -> builds.Build:
    """Begin a build as a run that takes over the schema `build` from any other owner."""
    with warehouse.connect(settings, "publisher") as conn:
        newest = builds.ask(conn, run_id, day)
        if newest.as_of_date != day:
            builds.end(conn, newest, "failed")
        return begin_build(conn, run_id, day)


def begin_build(conn: psycopg.Connection, run_id: str, day: date) -> builds.Build:
    """Begin a build in a home in which nothing else runs; any other owner of the schema is considered dead."""
    assert builds.take_turn(conn, builds.ask(conn, run_id, day), lambda other: False, lambda: False)
    return builds.begin(conn, run_id)


def dbt(settings: Settings, *arguments: str, check: bool = True, token: str = "") -> DbtRun:
    """Run a dbt command in this process, as the daily run does. token: proves that the command owns the build."""
    with redirect_stdout(io.StringIO()) as out, building.shown(token):
        result = building.invoke(settings, "--no-write-json", *arguments)
    done = DbtRun(bool(result.success), out.getvalue())
    assert not check or done.success, f"{result.exception} {done.stdout[-4000:]}"
    return done


def dbt_of(settings: Settings, day: date, *arguments: str, check: bool = True) -> DbtRun:
    """Run a dbt command that continues the build of a day."""
    token = renew(settings, day).token
    return dbt(settings, *arguments, "--vars", f"{{as_of_date: '{day}'}}", check=check, token=token)


def build(settings: Settings, day: date, *select: str) -> None:
    """Build every model and seed, or those of `select`, in dbt's syntax."""
    if select:
        tests = ("resource_type:test", "resource_type:unit_test")
        dbt_of(settings, day, "build", "--select", *select, "--exclude", *tests)
        return
    token = claim(settings, day).token
    with redirect_stdout(io.StringIO()):
        building.build(settings, day, token)


def renew(settings: Settings, day: date) -> builds.Build:
    """Continue the current build if it is of this day, so that its models stay valid, else begin one."""
    with warehouse.connect(settings, "publisher") as conn:
        try:
            build = builds.owned(conn, RUN)
            if build.as_of_date == day:
                return build
        except builds.NotOwnerError:
            pass
    return claim(settings, day)


def build_marts(settings: Settings, day: date) -> None:
    """Build every mart again, from the upstream models of the day's last build."""
    build(settings, day, "path:models/marts")


def audit(settings: Settings, day: date) -> quality.AuditResult:
    suites = quality.load_suites(settings.root, day)
    token = renew(settings, day).token
    with warehouse.connect(settings, "auditor") as conn:
        return quality.audit(conn, warehouse.uri(settings, "auditor"), suites, day, None, token)


def publish(settings: Settings, day: date, run_key: str) -> int:
    """Publish what is built, as the run of this key."""
    with warehouse.connect(settings) as conn:
        conn.execute(
            """
            update publishing.build set run_id = %(key)s, run_key = %(key)s
            where state = 'building' and not exists (select from publishing.build where run_key = %(key)s)
            """,
            {"key": run_key},
        )
    with warehouse.connect(settings, "publisher") as conn:
        return publishing.publish(conn, day, run_id=run_key, code_version="test")


def release(settings: Settings, day: date, run_key: str | None = None) -> int:
    """Audit and publish what is built, as the DAG does; returns the publication id."""
    result = audit(settings, day)
    assert result.passed, result.critical
    return publish(settings, day, run_key or f"test {day} {uuid4()}")


def run_day(settings: Settings, day: date, run_key: str | None = None) -> int:
    """Build, audit and publish a day as the DAG does, without Airflow; returns the publication id."""
    build(settings, day)
    return release(settings, day, run_key)


def rebuild(settings: Settings, run_id: str = RUN, *, is_audited: bool = True, publication: int | None = None) -> str:
    """Restore a build from a publication, as dbt and (`is_audited`) the audit leave it; return the build's token.

    publication: the current one when None.
    """
    with warehouse.connect(settings) as conn:
        ((publication, day),) = conn.execute(
            """
            select publication_id, as_of_date from published.publication
            where publication_id = coalesce(%s, (select publication_id from published.current))
            """,
            (publication,),
        ).fetchall()
    token = claim(settings, day, run_id).token
    with warehouse.connect(settings) as conn:
        for mart in published().keys() - {QUALITY_CHECK.name}:
            conn.execute(
                f"""
                drop table if exists build.{mart};
                create table build.{mart} as select * from published.{mart}
                where publication_id = {publication};
                alter table build.{mart} drop column publication_id;
                alter table build.{mart} owner to build_owner;
                grant select on build.{mart} to auditor;
                select publishing.note_mart('{mart}', '{token}', '{day}')
                """  # type: ignore[arg-type]
            )
        if is_audited:
            conn.execute(
                """
                insert into quality.check_result
                    (as_of_date, suite, check_name, table_name, severity, success, failing_rows, message, build_token)
                select as_of_date, suite, check_name, table_name, severity, success, failing_rows, message, %s
                from published.quality_check where publication_id = %s
                """,
                (token, publication),
            )
    return token


def query(settings: Settings, text: str, *parameters: object) -> list[tuple]:  # type: ignore[type-arg]
    with warehouse.connect(settings) as conn:
        return conn.execute(text, parameters).fetchall()  # type: ignore[arg-type]


def single(conn: psycopg.Connection, text: str) -> Any:
    """Return the single value that a query gives."""
    ((value,),) = conn.execute(text.encode()).fetchall()
    return value


def marts(settings: Settings) -> dict[str, list[tuple]]:  # type: ignore[type-arg]
    """Return the sorted rows of the marts that depend only on a day's data, without the columns of the publication."""
    names = ["obligation", "due", "overdue", "compliance_daily", "due_forecast", "risk_zone", "unscheduled"]
    columns = {name: ", ".join(published()[name].columns) for name in names}
    with warehouse.connect(settings) as conn:
        return {
            name: sorted(map(str, conn.execute(f"select {columns[name]} from reporting.{name}")))  # type: ignore[arg-type, misc]
            for name in names
        }


def expected(path: Path) -> list[tuple[str, ...]]:
    with path.open(encoding="utf-8") as file:
        return sorted(tuple(row) for row in list(csv.reader(file))[1:])


def write_feed(
    folder: Path, feed: str, rows: list[dict[str, str]], name: str = "a.csv", encoding: str = "utf-8"
) -> Path:
    """Write an export of a feed with these rows (cells by header text; missing ones are empty); return its path."""
    from yingjian.landing.feeds import FEEDS

    path = folder / feed / name
    path.parent.mkdir(parents=True, exist_ok=True)
    header = [column.source for column in FEEDS[feed].columns]
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows([row.get(column, "") for column in header] for row in rows)
    return path


def sample(key: str, taken: str = "2022-07-01 08:00:00", **cells: str) -> dict[str, str]:
    """Return a valid row of test_results."""
    return {
        "样本编号": key,
        **IDENTITY,
        "采样时间": taken,
        "采样方式": "单采",
        "检测结果": "阴性",
        "更新时间": taken,
    } | cells


def tables_read(conn: psycopg.Connection, text: str, *, analyze: bool = False) -> dict[str, str]:
    """Return the type of scan of each table in the outer query's plan; with `analyze`, scans that never ran are left out."""
    ((plan,),) = conn.execute(f"explain (format json, costs off{', analyze, timing off' if analyze else ''}) {text}")  # type: ignore[arg-type]
    tables = {}

    def visit(node: dict) -> None:  # type: ignore[type-arg]
        if node.get("Parent Relationship") == "InitPlan":
            return
        if "Relation Name" in node and node.get("Actual Loops", 1):
            tables[node["Relation Name"]] = node["Node Type"]
        for child in node.get("Plans", ()):
            visit(child)

    visit(plan[0]["Plan"])
    return tables


def answer(
    settings: Settings, right: str, login: str, reason: str = "", *, is_released: bool = True, run_id: str | None = None
) -> None:
    """Answer the newest open question that needs a right, as the portal does for this official."""
    directory = read_officials(settings.officials)
    with warehouse.connect(settings, "portal") as conn:
        asked = [
            question
            for question in decision.open_questions(conn)
            if question.needed_right == right and run_id in (None, question.run_id)
        ]
        decision.decide(
            conn,
            asked[-1].question_id,
            login=login,
            name=official.name if (official := directory.get(login)) else login,
            is_released=is_released,
            reason=reason,
            allowed=sign_off.who_may(directory, right),
        )
