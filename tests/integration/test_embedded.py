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
from yingjian import warehouse
from yingjian.settings import Settings, SetupError
from yingjian.warehouse.embedded import EmbeddedPostgres


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
            ["pgrep", "-fc", f"postgres -D {EmbeddedPostgres(settings).data}"], capture_output=True, text=True
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
