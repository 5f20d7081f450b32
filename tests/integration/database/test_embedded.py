"""The embedded server: closed homes, kills, taken ports, half-made clusters."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from tests import support
from yingjian import cli
from yingjian.database import embedded, warehouse
from yingjian.database.embedded import EmbeddedPostgres
from yingjian.operations import migration
from yingjian.settings import Settings, SetupError


def answers(settings: Settings) -> bool:
    return support.query(settings, "select 1") == [(1,)]


def kill_server(settings: Settings) -> None:
    pid = int((EmbeddedPostgres(settings).data / "postmaster.pid").read_text().split()[0])
    os.kill(pid, signal.SIGKILL)
    for _ in range(100):
        try:
            psycopg.connect(warehouse.uri(settings), connect_timeout=1).close()
        except psycopg.Error:
            return
        time.sleep(0.1)


def test_a_home_that_only_its_owner_may_enter(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    settings = support.make_home(closed / "home")
    try:
        assert answers(settings)
        assert closed.stat().st_mode & 0o007 == 0, "nobody else was let in"
    finally:
        EmbeddedPostgres(settings).stop()


def test_killed_and_started_again(fresh_home: Settings) -> None:
    with warehouse.connect(fresh_home) as conn:
        conn.execute("create table public_test as select 7 as kept")
    kill_server(fresh_home)
    warehouse.ensure_running(fresh_home)
    assert support.query(fresh_home, "select kept from public_test") == [(7,)]


def test_a_server_that_does_not_stop_is_an_error(fresh_home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    server = EmbeddedPostgres(fresh_home)
    pid = int((server.data / "postmaster.pid").read_text().split()[0])
    monkeypatch.setattr(embedded, "STOP_SECONDS", 1)
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(SetupError, match="does not stop"):
            server.stop()
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_taken_port_is_changed(fresh_home: Settings) -> None:
    server = EmbeddedPostgres(fresh_home)
    port = server.port()
    server.stop()
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        warehouse.ensure_running(fresh_home)
        assert server.port() != port
        assert answers(fresh_home)


def test_a_half_made_cluster_is_made_anew(tmp_path: Path) -> None:
    settings = Settings.load({"YINGJIAN_HOME": str(tmp_path / "home")})
    making = EmbeddedPostgres(settings).folder / "making"
    making.mkdir(parents=True)
    (making / "PG_VERSION").write_text("18")
    (EmbeddedPostgres(settings).data).mkdir()
    try:
        warehouse.ensure_running(settings)
        assert answers_superuser(settings)
    finally:
        EmbeddedPostgres(settings).stop()


def answers_superuser(settings: Settings) -> bool:
    with psycopg.connect(EmbeddedPostgres(settings).uri("postgres", "postgres")) as conn:
        return conn.execute("select 1").fetchone() == (1,)


def test_many_starts_at_once_make_one_server(tmp_path: Path) -> None:
    settings = Settings.load({"YINGJIAN_HOME": str(tmp_path / "home")})
    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: warehouse.ensure_running(settings), range(4)))
        running = subprocess.run(
            ["pgrep", "-fc", f"postgres -D {EmbeddedPostgres(settings).data}"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert running.stdout.strip() == "1"
    finally:
        EmbeddedPostgres(settings).stop()


def test_only_with_the_password(fresh_home: Settings) -> None:
    port = EmbeddedPostgres(fresh_home).port()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(f"postgresql://yingjian_owner:wrong@127.0.0.1:{port}/yingjian")


def test_bi_reader_reads_reporting_only(world: Settings) -> None:
    with warehouse.connect(world, "bi_reader") as conn:
        assert conn.execute("select count(*) from reporting.obligation").fetchone() != (0,)
        for table in ("restricted.person", "staging.residents", "published.person", "quality.rejected_row"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), conn.transaction():
                conn.execute(f"select count(*) from {table}")  # type: ignore[arg-type]


def test_an_external_warehouse_needs_a_person_key() -> None:
    with pytest.raises(SetupError, match="YINGJIAN_PERSON_KEY must be too"):
        Settings.load({"YINGJIAN_WAREHOUSE": "postgresql://u:p@db/yingjian"})


def test_a_server_of_ones_own_is_made_ready_once_by_its_superuser(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As docker-compose does: the superuser makes the owner, the owner the rest; each role has a password of its own."""
    server = EmbeddedPostgres(Settings.load({"YINGJIAN_HOME": str(tmp_path / "server")}))
    server.ensure_running()
    try:
        superuser = server.uri("postgres", "postgres")
        with psycopg.connect(superuser, autocommit=True) as conn:
            for statement in (
                "drop database yingjian",
                "drop database airflow",
                "drop owned by yingjian_owner",
                "drop role yingjian_owner",
                "drop role airflow",
            ):
                conn.execute(statement)  # type: ignore[arg-type]
        environment = {
            "YINGJIAN_HOME": str(tmp_path / "home"),
            "YINGJIAN_WAREHOUSE": f"postgresql://yingjian_owner:o%2Fwner@127.0.0.1:{server.port()}/yingjian",
            "YINGJIAN_PERSON_KEY": "secret", "YINGJIAN_ROLE_PASSWORD_LOADER": "a word of its own",
        }  # fmt: skip
        settings = Settings.load(environment)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("YINGJIAN_SUPERUSER", superuser)
        for _ in range(2):
            assert cli.main(["warehouse", "bootstrap"]) == 0
            migration.migrate(settings)
        for role in warehouse.ROLES:
            with warehouse.connect(settings, role) as conn:
                assert conn.execute(
                    "select session_user, rolsuper from pg_roles where rolname = session_user"
                ).fetchone() == (role, False)
        assert "a%20word%20of%20its%20own" in warehouse.uri(settings, "loader")
        with psycopg.connect(warehouse.airflow_uri(settings)) as conn:
            conn.execute("create table public.metadata ()")

        # Another word for the loader, and a worker that knows this one only.
        environment["YINGJIAN_ROLE_PASSWORD_LOADER"] = "another"
        monkeypatch.setenv("YINGJIAN_ROLE_PASSWORD_LOADER", "another")
        assert cli.main(["access", "passwords"]) == 0
        worker = Settings.load(environment | {"YINGJIAN_WAREHOUSE": f"postgresql://127.0.0.1:{server.port()}/yingjian"})
        warehouse.connect(worker, "loader").close()
        with pytest.raises(SetupError, match="set YINGJIAN_ROLE_PASSWORD_AUDITOR"):
            warehouse.connect(worker, "auditor")
        monkeypatch.delenv("YINGJIAN_SUPERUSER")
        assert cli.main(["warehouse", "bootstrap"]) == 2
        assert "set YINGJIAN_WAREHOUSE to the owner's URI" in capsys.readouterr().err
        with pytest.raises(SetupError, match="there is no role stranger"):
            warehouse.uri(settings, "stranger")
    finally:
        server.stop()


def test_an_owner_who_may_make_no_roles_is_told_how(fresh_home: Settings) -> None:
    with psycopg.connect(EmbeddedPostgres(fresh_home).uri("postgres", "postgres"), autocommit=True) as conn:
        conn.execute("alter role yingjian_owner nocreaterole")
        conn.execute("drop owned by bi_reader")
    with warehouse.connect(fresh_home) as conn:
        conn.execute("delete from access.reader where login = 'bi_reader'")
        # `drop owned` leaves what the owner gave of a function that is not the owner's.
        conn.execute("revoke execute on function set_config(text, text, boolean) from bi_reader")
    with psycopg.connect(EmbeddedPostgres(fresh_home).uri("postgres"), autocommit=True) as conn:
        conn.execute("drop owned by bi_reader")
        conn.execute("drop role bi_reader")
    with pytest.raises(SetupError, match=r"may not make its roles .*`yingjian warehouse stop`"):
        migration.migrate(fresh_home)
    EmbeddedPostgres(fresh_home).stop()
    warehouse.ensure_running(fresh_home)
    migration.migrate(fresh_home)
    warehouse.connect(fresh_home, "bi_reader").close()


def test_the_server_has_the_settings_of_its_file(bare_server: Settings) -> None:
    """As PostgreSQL itself reads that file, which docker-compose.yml mounts; the machine decides what is named here."""
    options = embedded.shared_options()
    read_by_the_server = {
        name: subprocess.run(
            [embedded.binaries() / "postgres", "-C", name, "-D", EmbeddedPostgres(bare_server).data,
             "-c", f"config_file={embedded.CONFIGURATION}"],
            capture_output=True, text=True, check=True,
        ).stdout.strip()
        for name in options
    }  # fmt: skip
    at_work = {
        name: support.query(bare_server, "select setting from pg_settings where lower(name) = %s", name)[0][0]
        for name in options
    }
    assert {name for name in options if at_work[name] != read_by_the_server[name]} <= {"shared_buffers"}
    assert options["log_min_error_statement"] == at_work["log_min_error_statement"] == "panic"
    assert len(options) > 10
