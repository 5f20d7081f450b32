"""docs/runbooks/recovery.md: the archive that docker-compose.yml configures brings back a moment, by the runbook's own lines."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import yaml

from yingjian.database import warehouse
from yingjian.database.embedded import EmbeddedPostgres, allow_search, binaries
from yingjian.operations import migration
from yingjian.people.audience import Audience
from yingjian.privacy import access
from yingjian.settings import PROJECT_ROOT, Settings

pytestmark = pytest.mark.slow

COMPOSE = yaml.safe_load((PROJECT_ROOT / "docker-compose.yml").read_text())["services"]["postgres"]
UPGRADING = (PROJECT_ROOT / "docs" / "upgrading.md").read_text()
RUNBOOK = (PROJECT_ROOT / "docs" / "runbooks" / "recovery.md").read_text()


def configured(name: str) -> str:
    [value] = [line.partition("=")[2] for line in COMPOSE["command"] if line.startswith(f"{name}=")]
    return str(value)


def test_rows_that_were_deleted_are_back(tmp_path: Path) -> None:
    settings = Settings.load({"YINGJIAN_HOME": str(tmp_path / "home")})
    server, archive = EmbeddedPostgres(settings), tmp_path / "archive"
    server.ensure_running()
    (archive / "wal").mkdir(parents=True)
    if user := server._user:
        os.chown(archive / "wal", user.pw_uid, user.pw_gid)
        allow_search(archive, user.pw_uid)
    with psycopg.connect(server.uri("postgres", "yingjian"), autocommit=True) as conn:
        for name in ("wal_level", "archive_mode", "archive_command", "archive_timeout"):
            value = configured(name).replace("/archive/", f"{archive}/")
            conn.execute(f"alter system set {name} = '{value}'")  # type: ignore[arg-type]
    server.stop()
    server.ensure_running()
    try:
        subprocess.run(
            [binaries() / "pg_basebackup", "-d", server.uri("postgres", "postgres"), "-D", archive / "base" / "night",
             "--format=tar", "--gzip", "--checkpoint=fast"],
            check=True, capture_output=True,
        )  # fmt: skip
        with psycopg.connect(server.uri("postgres", "yingjian"), autocommit=True) as conn:
            conn.execute("create table kept as select 7 as number")
            [(moment,)] = conn.execute("select clock_timestamp()::text").fetchall()
            conn.execute("select pg_sleep(0.1)")
            conn.execute("delete from kept")
            conn.execute("select pg_switch_wal()")
            while conn.execute("select last_archived_wal is null from pg_stat_archiver").fetchone() == (True,):
                time.sleep(0.1)
        server.stop()
        assert not list((archive / "wal").glob("*.part"))
        [script] = re.findall(r"```sh\n(.*?)```", RUNBOOK, re.S)
        script = script.replace("/archive/", f"{archive}/").replace("/var/lib/postgresql/18/docker", str(server.data))
        subprocess.run(
            ["sh"], input=script, env={**os.environ, "BASE": "night", "MOMENT": moment}, text=True, check=True
        )
        server._start()
        with psycopg.connect(server.uri("postgres", "yingjian"), autocommit=True) as conn:
            while conn.execute("select pg_is_in_recovery()").fetchone() == (True,):
                time.sleep(0.1)
            assert conn.execute("select number from kept").fetchall() == [(7,)]
        assert (server.data.parent / "before-recovery" / "PG_VERSION").exists()
    finally:
        server.stop()


def test_a_new_server_has_all_that_the_old_one_had(home_factory: Callable[[str], Settings], tmp_path: Path) -> None:
    """docs/upgrading.md, by its own two commands: rows, roles with their passwords, whose everything is."""
    old = home_factory("old")
    with warehouse.connect(old) as conn:
        password = access.grant(conn, "grid", [Audience("community", "第1社区")], False, "tester", "到岗")
    dump, load = re.findall(r"docker compose exec -T --user postgres postgres ((?:pg_dumpall|psql).*)", UPGRADING)
    environment = {
        **os.environ,
        "PATH": f"{binaries()}:{os.environ['PATH']}",
        "PGHOST": "127.0.0.1",
        "PGUSER": "postgres",
    }

    def run(command: str, server: EmbeddedPostgres) -> str:
        there = {"PGPORT": str(server.port()), "PGPASSWORD": server.settings.secret("role_postgres")}
        done = subprocess.run(
            ["sh", "-c", command], env=environment | there, cwd=tmp_path, capture_output=True, text=True, check=True
        )
        return done.stderr

    server = EmbeddedPostgres(old)
    assert run(dump, server) == ""
    before = contents(server)
    new = EmbeddedPostgres(Settings.load({"YINGJIAN_HOME": str(tmp_path / "new")}))
    shutil.copytree(old.home / "secrets", new.settings.home / "secrets")
    new.folder.mkdir()
    new._own_folder()
    new._make_cluster()
    new._start()
    try:
        assert re.fullmatch(r'.*ERROR:  role "postgres" already exists\n', run(load, new))
        assert contents(new) == before and len(before["roles"]) > 10
        with psycopg.connect(new.uri("grid").replace(new.settings.secret("role_grid"), str(password))) as conn:
            assert conn.execute("select session_user").fetchone() == ("grid",)
        migration.migrate(new.settings)
    finally:
        new.stop()


def contents(server: EmbeddedPostgres) -> dict[str, list[tuple]]:  # type: ignore[type-arg]
    """The function reads roles with the verifiers of their passwords; every relation with its owner, rights and policies; rows of tables."""
    with psycopg.connect(server.uri("postgres", "yingjian")) as conn:
        counts = {
            "roles": conn.execute("select rolname, rolpassword, rolcreaterole from pg_authid order by 1").fetchall(),
            "members": conn.execute(
                "select roleid::regrole::text, member::regrole::text, admin_option from pg_auth_members order by 1, 2, 3"
            ).fetchall(),
            "relations": conn.execute(
                """
                select oid::regclass::text, relkind, relowner::regrole::text, relacl::text, relrowsecurity from pg_class
                where relnamespace::regnamespace::text !~ '^pg_|information_schema' order by 1
                """
            ).fetchall(),
        }
        tables = [name for name, kind, *_ in counts["relations"] if kind == "r"]
        counts["rows"] = [(name, *row) for name in tables for row in conn.execute(f"select count(*) from {name}")]  # type: ignore[arg-type]
    return counts


def test_the_archive_belongs_to_the_server() -> None:
    """A volume that Docker makes belongs to root; the entrypoint gives the folders away before PostgreSQL starts."""
    folders = set(re.findall(r"/archive/\w+", configured("archive_command") + RUNBOOK))
    script = COMPOSE["entrypoint"][2]
    assert folders == {"/archive/wal", "/archive/base"}
    assert all(folder in script for folder in folders) and "-o postgres" in script
    assert script.endswith('exec docker-entrypoint.sh "$$@"') and COMPOSE["entrypoint"][3] == "--"
    assert any(volume.endswith(":/archive") for volume in COMPOSE["volumes"])
