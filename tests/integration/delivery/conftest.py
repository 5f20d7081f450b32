"""A published town in a database of these tests' own, officials, and servers on loopback that speak the real protocols."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

import psycopg
import pytest
import trustme

from tests.readers import protect_town
from tests.servers import Handler, MailServer, TlsController, free_port, serve, server_context, smtp_connection
from tests.towns import town
from yingjian.database import roles, schema
from yingjian.database.embedded import EmbeddedPostgres
from yingjian.database.schema import MIGRATIONS, SQL_FOLDER
from yingjian.delivery.messages import Composer
from yingjian.operations import migration
from yingjian.people.officials import Officials, read_officials
from yingjian.settings import Settings

KEY, SECRET = "robot-key-4711", "SECdingtalk-secret"
PUBLICATION = town.PUBLICATION_ID
DIRECTORY = """
officials:
  - login: director
    name: 街道主要领导
    audience: office
    may: [release, sign_off]
    deputy: deputy
    receives:
      - {channel: mail, to: director@example.org}
      - {channel: wecom, connection: wecom_office}
      - {channel: dingtalk, connection: dingtalk_office}
  - login: deputy
    name: 疫情分管领导
    audience: office
    receives:
      - {channel: mail, to: deputy@example.org}
  - login: health
    name: 卫健局联络员
    audience: {department: 卫健局}
    receives:
      - {channel: mail, to: health@example.org}
  - login: grid
    name: 社区网格员
    audience: {community: 招丰社区}
    may: [persons]
    receives:
      - {channel: mail, to: grid@example.org}
      - {channel: folder, path: 招丰社区}
  - login: press
    name: 宣传组
    audience: office
    receives:
      - {channel: folder, path: 对外发布, what: bulletin}
"""
PUBLIC = [
    ("state", "state", "平急状态", "", None, "应急状态，自7月13日起，第12天", "", False, False, 10),
    ("infection", "infected", "当日新增本土感染者", "", None, "", "人", True, True, 20),
    ("testing", "required", "重点人群应检", "", 4321, "", "人次", True, False, 60),
    ("testing", "compliant", "其中：已达标", "", 4300, "", "人次", False, False, 61),
    ("testing", "overdue", "其中：逾期未检", "", 21, "", "人次", False, False, 62),
    ("testing", "required", "重点人群应检", "招丰社区", None, "", "人次", True, True, 60),
    ("testing", "compliant", "其中：已达标", "招丰社区", None, "", "人次", False, True, 61),
    ("testing", "overdue", "其中：逾期未检", "招丰社区", None, "", "人次", False, True, 62),
    ("testing", "required", "重点人群应检", "北峰社区", 321, "", "人次", True, False, 60),
    ("testing", "compliant", "其中：已达标", "北峰社区", 315, "", "人次", False, False, 61),
    ("testing", "overdue", "其中：逾期未检", "北峰社区", 6, "", "人次", False, False, 62),
]

# As access.yml has it, for the tables that are here.
REPORTER = """
    grant usage on schema published, audit, delivery, publishing to reporter;
    grant select on all tables in schema published, publishing to reporter;
    grant insert on published.public_release to reporter;
    grant select, insert, update on delivery.attempt to reporter;
    grant select, insert, update, delete on delivery.reminder to reporter;
    grant usage on schema portal to reporter;
    grant select on portal.notification to reporter;
    grant execute on function audit.record to reporter;
"""


@pytest.fixture(scope="session")
def published(bare_server: Settings, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URI of a database with a published town, public figures, the record of deliveries and the audit trail."""
    server = EmbeddedPostgres(bare_server)
    with psycopg.connect(server.uri("postgres", "postgres"), autocommit=True) as conn:
        conn.execute("create database delivery owner yingjian_owner")
    uri = server.uri("yingjian_owner", "delivery")
    with psycopg.connect(uri, options="-c TimeZone=Asia/Shanghai") as conn:
        town.load(conn)
        conn.execute("alter table published.publication add run_key text")
        for path in (MIGRATIONS / "0003_audit.sql", SQL_FOLDER / "25_audit.sql", MIGRATIONS / "0005_delivery.sql", SQL_FOLDER / "27_delivery.sql"):  # fmt: skip
            conn.execute(path.read_bytes())
        folder = tmp_path_factory.mktemp("migrations")
        conn.execute("create schema publishing")
        migrations = (
            "0002_published",
            "0004_access",
            "0041_letters",
            "0070_decision",
            "0080_front_door",
            "0100_notification",
        )
        for name in (f"{migration}.sql" for migration in migrations):
            shutil.copy(MIGRATIONS / name, folder)
        schema.run_file(conn, SQL_FOLDER / "00_roles.sql")  # A migration names a role.
        schema.apply_migrations(conn, folder)
        migration._note_definition(conn, [])  # The tables are of this version: commands read that.
        conn.execute(
            """
            create table published.public_figure (
                publication_id bigint, as_of_date date, topic text, figure text, title text, community text, value int,
                wording text, unit text, is_whole boolean, is_protected boolean, basis text, sort_order int)
            """
        )
        with conn.cursor() as cursor:
            cursor.executemany(
                "insert into published.public_figure values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, '第十八条', %s)",
                [(number, town.LAST_DAY, *row) for number in (PUBLICATION, PUBLICATION + 1) for row in PUBLIC],
            )
        settings = Settings.load({"YINGJIAN_WAREHOUSE": uri, "YINGJIAN_PERSON_KEY": "key"})
        conn.execute(
            f"""
            create schema reporting;
            create view reporting.publication as select publication_id, as_of_date, published_at, policy_edition,
            quality_status, checks_run, checks_failed, input_files, input_rows, code_version, release_reason,
            released_by, previous_publication_id from published.publication where publication_id = {PUBLICATION}
            """
        )
        protect_town(conn)
        roles.set_passwords(conn, settings, {"reporter"})
        conn.execute(REPORTER)
    return uri


@pytest.fixture
def connect(published: str) -> Callable[[], psycopg.Connection]:
    return lambda: psycopg.connect(published, options="-c TimeZone=Asia/Shanghai")


@pytest.fixture
def conn(connect: Callable[[], psycopg.Connection]) -> Iterator[psycopg.Connection]:
    """The connection has nothing on record of deliveries and decisions."""
    with connect() as connection:
        connection.execute(
            "truncate delivery.attempt, delivery.reminder, portal.notification, published.public_release, publishing.question cascade"
        )
        connection.execute("delete from published.publication where publication_id > %s", (PUBLICATION,))
        connection.commit()
        yield connection


@pytest.fixture
def officials(tmp_path: Path) -> Officials:
    return directory(tmp_path, DIRECTORY)


def directory(folder: Path, text: str) -> Officials:
    path = folder / "officials.yml"
    path.write_text(text, encoding="utf-8")
    return read_officials(path)


@pytest.fixture(scope="session")
def composer(published: str, reports: Path) -> Iterator[Composer]:
    """Makes the messages of the publication; what it has read is kept."""
    with psycopg.connect(published, autocommit=True, options="-c TimeZone=Asia/Shanghai") as reader:
        yield Composer(reader, PUBLICATION, reports, b"secret", "https://yingjian.example/")


@pytest.fixture(scope="session")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The fixture says in which folder the packs are; each is written once."""
    return tmp_path_factory.mktemp("reports")


def states(conn: psycopg.Connection) -> dict[str, str]:
    """The function maps official/channel to the state of everything on record."""
    with conn.transaction():
        return dict(
            conn.execute("select official || '/' || channel, state from delivery.attempt order by 1").fetchall()
        )


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[trustme.CA, Path]:
    """The fixture makes a certificate authority, and its certificate as a file."""
    certificate_authority = trustme.CA()
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    certificate_authority.cert_pem.write_to_path(str(path))
    return certificate_authority, path


@pytest.fixture
def tls(authority: tuple[trustme.CA, Path], monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server's certificate for 127.0.0.1, whose authority this process trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority[1]))
    return server_context(authority[0])


@pytest.fixture
def mail_server(tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    """A mail server with STARTTLS and authentication; `smtp_default` leads to it."""
    server = MailServer(free_port())
    controller = TlsController(server, tls, implicit=False)
    controller.start()
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", smtp_connection(server.port))
    yield server
    controller.stop()


@dataclass
class RobotServer:
    """The fixture keeps the requests that the robots' services got, and the answers they give: (status, errcode), then (200, 0)."""

    port: int = 0
    requests: list[dict[str, Any]] = field(default_factory=list)
    answers: list[tuple[int, Any]] = field(default_factory=list)
    silent: bool = False


@pytest.fixture
def robot_server(tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> Iterator[RobotServer]:
    """The fixture starts an HTTPS server; the connections `wecom_office` and `dingtalk_office` lead to it."""
    state = RobotServer()

    class Service(Handler):
        def do_POST(self) -> None:
            parsed = urlparse(self.path)
            body = self.body()
            query = {name: values[0] for name, values in parse_qs(parsed.query).items()}
            state.requests.append({"path": parsed.path, "query": query, "body": body})
            if state.silent:
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            status, code = state.answers.pop(0) if state.answers else (200, 0)
            answer = {"errcode": code, "errmsg": "x"}
            self.answer(json.dumps(answer).encode() if code is not None else b"<html>", status)

    server = serve(Service, tls)
    state.port = server.server_port
    for kind, extra in (("wecom", {}), ("dingtalk", {"secret": SECRET})):
        monkeypatch.setenv(
            f"AIRFLOW_CONN_{kind.upper()}_OFFICE",
            json.dumps({"conn_type": "http", "host": "127.0.0.1", "port": state.port, "password": KEY, "extra": extra}),
        )
    yield state
    server.shutdown()
    server.server_close()
