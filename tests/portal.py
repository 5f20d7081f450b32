"""This module runs the portal alone, without other services, on a copy of the session's town."""

from __future__ import annotations

import hashlib
import os
import secrets
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psycopg
import yaml

from tests import support
from tests.provider import CLIENT, SECRET
from tests.servers import free_port
from yingjian.database import warehouse
from yingjian.database.embedded import EmbeddedPostgres
from yingjian.modelling.dbt_project import prepare_manifest
from yingjian.modelling.marts import published
from yingjian.people.audience import OFFICE, Audience
from yingjian.portal import accounts
from yingjian.portal.access import COOKIE
from yingjian.publishing import decision
from yingjian.reports.packs import write_packs, write_report
from yingjian.settings import Settings

READY_SECONDS = 120


@dataclass
class Portal:
    """A running portal.

    `own` and `other` are communities with overdue persons. `own` is the audience of the officials grid and clerk, and
    `own_grid`, a grid of it, that of grid-worker.
    """

    settings: Settings
    url: str
    own: str
    other: str
    department: str
    log: Path
    question: int
    own_grid: str = ""

    def client(self, login: str | None = None) -> httpx.Client:
        """Return an HTTP client with the headers of a Chinese browser, signed in as `login` if there is one."""
        client = httpx.Client(
            base_url=self.url, timeout=60, headers={"accept": "text/html", "accept-language": "zh-CN,zh;q=0.9"}
        )
        if login:
            client.cookies.set(COOKIE, self.token(login), domain="127.0.0.1")
        return client

    def token(self, login: str) -> str:
        """Open a session as the sign-in does; return its token."""
        token = secrets.token_urlsafe(32)
        with warehouse.connect(self.settings) as conn:
            conn.execute(
                "insert into portal.session (token_hash, login, sets_password, ends_at)"
                " values (%s, %s, false, now() + interval '10 hours')",
                (hashlib.sha256(token.encode()).digest(), login),
            )
        return token

    def invite(self, login: str) -> str:
        """Return a first password, as `yingjian official invite` gives one."""
        with warehouse.connect(self.settings) as conn:
            conn.autocommit = True
            return accounts.invite(conn, login, "tester")

    def query(self, text: str, *parameters: object) -> list[tuple]:  # type: ignore[type-arg]
        return support.query(self.settings, text, *parameters)

    def person_of(self, community: str) -> str:
        """Return an overdue person who lives in this community and in no other."""
        return str(
            self.query(
                """
                select person_key from reporting.overdue inner join restricted.person using (person_key)
                where overdue.community = %s and person.community = %s order by person_key limit 1
                """,
                community,
                community,
            )[0][0]
        )


@contextmanager
def running_portal(world: Settings, home: Path, issuer: str) -> Iterator[Portal]:
    """Copy the town's warehouse, publish it once more with a few changes, and start the portal on it."""
    settings = _copy(world, home)
    own, other, department, own_grid = _parts(settings)
    settings.officials.write_text(
        yaml.safe_dump(
            {"officials": _officials(own, own_grid, department), "data_team": [{"login": "operator", "role": "op"}]},
            allow_unicode=True,
        )
    )
    with warehouse.connect(settings) as conn:
        _publish_again(conn, own)
    with warehouse.connect(settings) as conn:
        write_report(conn, 2, settings.reports)
        audiences = (
            OFFICE,
            Audience("community", own),
            Audience("community", other),
            Audience("department", department),
            Audience.of_grid(own, own_grid),
        )
        write_packs(conn, 2, settings.reports, audiences)
    _data_docs(settings)
    airflow = EmbeddedPostgres(world).uri("airflow", "airflow")
    with psycopg.connect(airflow) as conn:
        _runs(conn)
    question = _question(settings)
    port = free_port()
    environment = os.environ | {
        "YINGJIAN_HOME": str(settings.home),
        "YINGJIAN_WAREHOUSE": settings.warehouse or "",
        "YINGJIAN_PERSON_KEY": world.secret("person_key"),
        "YINGJIAN_ROLE_PASSWORD_REPORTER": world.secret("role_reporter"),
        "YINGJIAN_ROLE_PASSWORD_PORTAL": world.secret("role_portal"),
        "YINGJIAN_AIRFLOW_DATABASE": airflow,
        "YINGJIAN_PORTAL_PORT": str(port),
        "YINGJIAN_PORTAL_URL": f"http://127.0.0.1:{port}",
        "YINGJIAN_OIDC_ISSUER": issuer,
        "YINGJIAN_OIDC_CLIENT": CLIENT,
        "YINGJIAN_OIDC_SECRET": SECRET,
    }
    portal = Portal(
        settings, f"http://127.0.0.1:{port}", own, other, department, settings.home / "portal.log", question, own_grid
    )
    with _served(portal, environment):
        yield portal


SENDERS = """
officials:
  - {login: case-worker, name: 流调溯源组, audience: office, may: [persons, quarantine]}
  - {login: second, name: 质控组, audience: office, may: [quarantine]}
  - {login: grid, name: 网格员, audience: {community: 第1社区}, may: [quarantine]}
  - {login: clerk, name: 文员, audience: office}
senders:
  - {login: lab-1, name: 第1检测机构, feeds: [test_results], receives: [{channel: mail, to: one@example.org}]}
  - {login: lab-2, name: 第2检测机构, feeds: [test_results, teams], receives: [{channel: mail, to: two@example.org}]}
  - {login: lab-3, name: 第3检测机构, receives: [{channel: folder, path: 三所}]}
"""


@contextmanager
def running_senders(settings: Settings) -> Iterator[Portal]:
    """Start the portal on a home without a town, in which senders have accounts."""
    settings.officials.write_text(SENDERS, encoding="utf-8")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = os.environ | {
        "YINGJIAN_HOME": str(settings.home), "YINGJIAN_PORTAL_PORT": str(port), "YINGJIAN_PORTAL_URL": url,
    }  # fmt: skip
    portal = Portal(settings, url, "", "", "", settings.home / "portal.log", 0)
    with _served(portal, environment):
        yield portal


@contextmanager
def _served(portal: Portal, environment: dict[str, str]) -> Iterator[None]:
    """Run the service until the block ends."""
    with portal.log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "yingjian.cli", "portal"],
            env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    try:
        _wait(portal, server.poll)
        yield
    finally:
        server.terminate()
        try:
            server.wait(15)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _copy(world: Settings, home: Path) -> Settings:
    """Copy the town's database under another name, so that the session's does not change."""
    server = EmbeddedPostgres(world)
    with psycopg.connect(server.uri("postgres", "postgres"), autocommit=True) as conn:
        # A template database must have no connections; those that are left are idle ones of finished checks.
        conn.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = 'yingjian'")
        conn.execute("create database portal template yingjian owner yingjian_owner")
    settings = Settings.load(
        {
            "YINGJIAN_HOME": str(home),
            "YINGJIAN_WAREHOUSE": server.uri("yingjian_owner", "portal"),
            "YINGJIAN_PERSON_KEY": world.secret("person_key"),
            "YINGJIAN_ROLE_PASSWORD_REPORTER": world.secret("role_reporter"),
            "YINGJIAN_ROLE_PASSWORD_PORTAL": world.secret("role_portal"),
        }
    )
    settings.dbt_target.mkdir(parents=True)
    (settings.dbt_target / "manifest.json").write_bytes(prepare_manifest(world).read_bytes())
    (settings.home / "airflow" / "plugins").mkdir(parents=True)
    return settings


def _parts(settings: Settings) -> tuple[str, str, str, str]:
    """Return two communities, a department, and a grid of the first community, all with overdue persons."""
    (own, _), (other, _), *_ = support.query(
        settings,
        """
        select community, count(*) from reporting.overdue inner join restricted.person using (person_key, community)
        where community <> '' group by 1 order by 2 desc, 1 limit 2
        """,
    )
    ((department, _),) = support.query(
        settings,
        "select department, count(*) from reporting.overdue where department !~ '、' group by 1 order by 2 desc, 1 limit 1",
    )
    ((own_grid, _),) = support.query(
        settings,
        """
        select grid, count(*) from reporting.overdue inner join restricted.person using (person_key, community, grid)
        where community = %s and grid <> '' group by 1 order by 2 desc, 1 limit 1
        """,
        own,
    )
    return own, other, department, own_grid


def _officials(own: str, own_grid: str, department: str) -> list[dict[str, object]]:
    return [
        {
            "login": "director",
            "name": "街道主要领导",
            "audience": "office",
            "may": ["release", "sign_off"],
            "receives": [
                {"channel": "mail", "to": "director@example.org"},
                {"channel": "wecom", "connection": "wecom_office"},
                {"channel": "dingtalk", "connection": "dingtalk_office"},
                {"channel": "folder", "path": "对外发布", "what": "bulletin"},
            ],
        },
        {"login": "case-worker", "name": "流调溯源组", "audience": "office", "may": ["persons", "quarantine"]},
        {"login": "health", "name": "部门联络员", "audience": {"department": department}, "may": ["persons"]},
        {
            "login": "grid",
            "name": "社区网格员",
            "audience": {"community": own},
            "may": ["persons", "quarantine"],
            "receives": [{"channel": "mail", "to": "grid@example.org"}],
        },
        {
            "login": "clerk",
            "name": "社区文员",
            "audience": {"community": own},
            "receives": [{"channel": "mail", "to": "clerk@example.org"}],
        },
        {
            "login": "grid-worker",
            "name": "网格员",
            "audience": {"community": own, "grid": own_grid},
            "may": ["persons"],
        },
    ]


def _publish_again(conn: psycopg.Connection, own: str) -> None:
    """Publish the same day again as publication 2, as after late data: an obligation is gone, one is new, some differ."""
    for mart in published():
        conn.execute(
            f"create table published.{mart}_p2 (like published.{mart}_p1 including defaults including comments)"
        )
        conn.execute(f"insert into published.{mart}_p2 select * from published.{mart}_p1")
        conn.execute(f"update published.{mart}_p2 set publication_id = 2")
        conn.execute(f"alter table published.{mart}_p2 alter publication_id set default 2")
        conn.execute(f"alter table published.{mart} attach partition published.{mart}_p2 for values in (2)")
    conn.execute(
        """
        insert into published.publication
        select 2, as_of_date, published_at + interval '1 hour', policy_edition, 'released_by_hand', 100, 1, input_files,
            input_rows, code_version, '名册晚到，已核对', 'director', 1, 'again'
        from published.publication where publication_id = 1
        """
    )
    conn.execute("update published.current set publication_id = 2")
    conn.execute(
        """
        update published.obligation_p2 set status = 'overdue', days_overdue = 1
        where obligation_id in (select obligation_id from published.due_p2 order by obligation_id desc limit 3)
        """
    )
    conn.execute(
        """
        delete from published.obligation_p2
        where obligation_id = (select min(obligation_id) from published.obligation_p2 where status = 'satisfied')
        """
    )
    conn.execute(
        "delete from published.obligation_p1 where obligation_id = (select min(obligation_id) from published.due_p2)"
    )
    # The small town lacks these: a zone that may be lowered, a person who blocks that, stays, a restatement, a stale feed.
    for statement in (
        """
        update published.risk_zone_p2
        set eligible_level = '低', eligible_on = as_of_date, mismatch = '与规则不一致', round_sampled = 9, round_outstanding = 1
        where zone_id = (select min(zone_id) from published.risk_zone_p2)
        """,
        """
        insert into published.zone_blocker_p2 (publication_id, as_of_date, zone_id, level, person_key, community, grid, building,
            reason, round_from_date, explanation)
        select 2, as_of_date, zone_id, level, 'somebody', communities[1], '网格1', '1号楼', 'not_sampled', as_of_date, '尚未采样'
        from published.risk_zone_p2 where eligible_level = '低'
        """,
        """
        insert into published.zone_stay_summary_p2 (publication_id, as_of_date, level, stays, days_p10, days_median, days_p90,
            rule_days, share_shorter)
        select 2, as_of_date, '高', 12, 5.5, 8.0, 13.2, 7, 0.25 from published.publication where publication_id = 2
        """,
        """
        insert into published.restatement_p2 (publication_id, as_of_date, restated_date, base_publication_id, group_code,
            reason_code, reason, from_status, to_status, rows)
        select 2, as_of_date, as_of_date - 1, 1, '9', 'sample_late', '样本或结果迟到', 'overdue', 'satisfied', 4
        from published.publication where publication_id = 2
        """,
        "update published.feed_quality_p2 set status = 'stale', message = '最近一次更新停留在7月1日' where feed = 'cases'",
    ):
        conn.execute(statement)  # type: ignore[arg-type]
    # These texts must be escaped: a formula for a spreadsheet, and a script for a browser.
    conn.execute(
        """
        update published.overdue_p2 set unit = '=HYPERLINK("http://x")', explanation = explanation || '<script>alert(1)</script>'
        where obligation_id = (select min(obligation_id) from published.overdue_p2 where community = %s)
        """,
        (own,),
    )


def _data_docs(settings: Settings) -> None:
    folder = settings.data_docs / "validations" / "build" / "overdue"
    folder.mkdir(parents=True)
    (settings.data_docs / "index.html").write_text("<html></html>")
    (folder / "warehouse-build.overdue.html").write_text(
        "<html lang='en'><head><title>Data Docs</title><link href='https://cdn.example/x.css'>"
        "<script src='https://cdn.example/x.js'></script></head>"
        '<body><nav>x</nav><h4 onclick="go()">build.overdue</h4><img src="https://cdn.example/x.png"></body></html>'
    )


def _runs(conn: psycopg.Connection) -> None:
    """Insert two runs as the scheduler leaves them: one with a failed task, and one that is running."""
    for run_id, state, end in (("one", "failed", "2022-07-21 00:14+08"), ("two", "running", None)):
        conn.execute(
            """
            insert into dag_run (dag_id, run_id, run_type, state, queued_at, run_after, start_date, end_date, data_interval_start)
            values ('daily', %s, 'scheduled', %s, now(), now(), '2022-07-21 00:05+08', %s, '2022-07-20 00:00+08')
            """,
            (run_id, state, end),
        )
    conn.execute(
        """
        insert into task_instance (id, task_id, dag_id, run_id, try_number, pool, pool_slots, state)
        values (gen_random_uuid(), 'audit', 'daily', 'one', 1, 'default_pool', 1, 'failed')
        """
    )


def _question(settings: Settings) -> int:
    """Record a failed audit of the next day's build, and its run's question whether to release it; return its id."""
    token = str(uuid.uuid4())
    with warehouse.connect(settings) as conn:
        conn.execute(
            """
            insert into quality.check_result
            (as_of_date, suite, check_name, table_name, severity, success, failing_rows, message, build_token)
            select as_of_date + 1, 'build.overdue', check_name, 'build.overdue', severity, success, rows, message, %s
            from published.publication, (values
                ('one', 'fail', false, 3, '逾期名单与底册不一致'), ('two', 'warn', false, 9, '只是提示'), ('three', 'fail', true, 0, '没有问题')
            ) as found (check_name, severity, success, rows, message)
            where publication_id = 1
            """,
            (token,),
        )
        (day,) = (
            conn.execute("select as_of_date + 1 from published.publication where publication_id = 1").fetchone() or ()
        )
        now = datetime.now(UTC)
        return decision.ask(conn, decision.RELEASE, "two", day, now, now + timedelta(hours=8), build_token=token)


def ask_release(portal: Portal) -> int:
    """Ask again, as another run, whether to release the portal's build; return the id of the question."""
    with warehouse.connect(portal.settings) as conn:
        about = decision.question(conn, portal.question)
        assert about and about.build_token
        now = datetime.now(UTC)
        return decision.ask(
            conn, decision.RELEASE, f"run {now.isoformat()}", about.as_of_date, now, now + timedelta(hours=1),
            build_token=str(about.build_token),
        )  # fmt: skip


def ask_sign_off(settings: Settings) -> int:
    """Ask, as a run, whether to release the public figures of publication 2; return the id of the question."""
    with warehouse.connect(settings) as conn:
        ((day,),) = conn.execute("select as_of_date from published.publication where publication_id = 2").fetchall()
        now = datetime.now(UTC)
        return decision.ask(conn, decision.SIGN_OFF, "sign-off", day, now, now + timedelta(hours=8), publication_id=2)


def _wait(portal: Portal, is_over: Callable[[], int | None]) -> None:
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until:
        assert is_over() is None, f"the portal is gone: {portal.log.read_text()[-2000:]}"
        try:
            if httpx.get(f"{portal.url}/health", timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.3)
    raise AssertionError(f"the portal did not come up: {portal.log.read_text()[-2000:]}")
