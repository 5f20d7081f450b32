"""A PostgreSQL that is not embedded: what is wrong with it is one sentence that says what to do, and no secret."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests.servers import free_port
from yingjian import cli
from yingjian.database import server, warehouse
from yingjian.database.embedded import EmbeddedPostgres
from yingjian.settings import Settings, SetupError

SECRET = "not-to-be-shown"


def migrate(uri: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setenv("YINGJIAN_HOME", str(home))
    monkeypatch.setenv("YINGJIAN_WAREHOUSE", uri)
    monkeypatch.setenv("YINGJIAN_PERSON_KEY", "key")
    return cli.main(["migrate"])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"password": SECRET}, "refuses the password of yingjian_owner: mend YINGJIAN_WAREHOUSE"),
        ({"database": "nowhere"}, "has no database nowhere: run `yingjian warehouse bootstrap`"),
        ({"port": "closed"}, "is the server up, and is YINGJIAN_WAREHOUSE right?"),
        ({"host": "nowhere.invalid"}, "nothing answers at nowhere.invalid"),
        ({"query": "?sslmode=require"}, "do not agree about TLS"),
        ({"query": "?sslmode=verify-full&sslrootcert=/nowhere.pem"}, "certificate"),
        ({"query": "?no_such_parameter=1"}, "is no URI of a PostgreSQL server"),
    ],
)
def test_no_connection(
    bare_server: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    change: dict[str, str], sentence: str,
) -> None:  # fmt: skip
    port = free_port() if change.get("port") else EmbeddedPostgres(bare_server).port()
    password = change.get("password", bare_server.secret("role_yingjian_owner"))
    uri = (
        f"postgresql://yingjian_owner:{password}@{change.get('host', '127.0.0.1')}:{port}"
        f"/{change.get('database', 'yingjian')}{change.get('query', '')}"
    )
    assert migrate(uri, tmp_path, monkeypatch) == 2
    message = capsys.readouterr().err
    assert sentence in message and message.count("\n") == 1 and "Traceback" not in message
    assert password not in message


def test_an_owner_without_rights(
    bare_server: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own = EmbeddedPostgres(bare_server)
    with psycopg.connect(own.uri("postgres", "postgres"), autocommit=True) as conn:
        conn.execute(f"create role lacking login createrole password '{SECRET}'")  # type: ignore[arg-type]
        conn.execute("create database lacked")
        conn.execute("revoke all on database lacked from public")
    uri = f"postgresql://lacking:{SECRET}@127.0.0.1:{own.port()}/lacked"
    assert migrate(uri, tmp_path, monkeypatch) == 2
    assert "lacking may not connect to the database lacked" in capsys.readouterr().err
    with psycopg.connect(own.uri("postgres", "postgres"), autocommit=True) as conn:
        conn.execute("grant connect on database lacked to lacking")
        # Everything that the roles need of a superuser; the right to make schemas is what it lacks.
        conn.execute("grant pg_read_all_stats, pg_use_reserved_connections to lacking with admin option")
        for role in ("loader", "transformer", "auditor", "publisher", "reporter", "portal", "bi_reader", "community_reader", "department_reader", "case_worker", "build_owner", "view_owner"):  # fmt: skip
            conn.execute(f"grant {role} to lacking with admin option")  # type: ignore[arg-type]
    assert migrate(uri, tmp_path, monkeypatch) == 2
    assert "readers could stop the services of this warehouse by their locks" in capsys.readouterr().err
    with psycopg.connect(own.uri("postgres", "lacked"), autocommit=True) as conn:
        conn.execute(
            """
            do $$
            declare
                function regprocedure;
            begin
                for function in select oid from pg_proc where proname ~ 'advisory.*lock' loop
                    execute format('revoke execute on function %s from public', function);
                    execute format('grant execute on function %s to lacking with grant option', function);
                end loop;
            end
            $$
            """
        )
    assert migrate(uri, tmp_path, monkeypatch) == 2
    assert "dbt's login could write functions" in capsys.readouterr().err
    with psycopg.connect(own.uri("postgres", "lacked"), autocommit=True) as conn:
        conn.execute("revoke all on language sql, plpgsql from public")
        conn.execute("grant usage on language sql, plpgsql to lacking with grant option")
        conn.execute("revoke execute on function set_config(text, text, boolean) from public")
        conn.execute("grant execute on function set_config(text, text, boolean) to lacking with grant option")
    assert migrate(uri, tmp_path, monkeypatch) == 2
    message = capsys.readouterr().err
    assert "lacks a right (permission denied for database lacked): run `yingjian warehouse bootstrap`" in message
    assert message.count("\n") == 1


@pytest.mark.parametrize(("oldest", "newest"), [(16, 17), (19, 20)])
def test_another_version(bare_server: Settings, monkeypatch: pytest.MonkeyPatch, oldest: int, newest: int) -> None:
    uri = EmbeddedPostgres(bare_server).uri("yingjian_owner")
    server.require(uri)
    monkeypatch.setattr(server, "OLDEST", oldest)
    monkeypatch.setattr(server, "NEWEST", newest)
    with pytest.raises(SetupError, match=f"is PostgreSQL 18: Yingjian needs {oldest} to {newest}"):
        server.require(uri)


@pytest.mark.beyond
def test_airflows_metadata_elsewhere(fresh_home: Settings, bare_server: Settings) -> None:
    elsewhere = EmbeddedPostgres(bare_server)
    with psycopg.connect(elsewhere.uri("postgres", "postgres"), autocommit=True) as conn:
        conn.execute(f"create role keeper login password '{SECRET}'")  # type: ignore[arg-type]
        conn.execute("create database metadata owner keeper")
    uri = f"postgresql://keeper:{SECRET}@127.0.0.1:{elsewhere.port()}/metadata"
    done = subprocess.run(
        [sys.executable, "-m", "yingjian.cli", "airflow", "db", "check"],
        env={**os.environ, "YINGJIAN_HOME": str(fresh_home.home), "YINGJIAN_AIRFLOW_DATABASE": uri},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    has_tables = "select to_regclass('public.dag_run') is not null"
    with psycopg.connect(uri) as conn:
        assert conn.execute(has_tables).fetchone() == (True,)
    with psycopg.connect(warehouse.airflow_uri(fresh_home)) as conn:
        assert conn.execute(has_tables).fetchone() == (False,)
    with pytest.raises(SetupError, match="YINGJIAN_AIRFLOW_DATABASE must be like"):
        Settings.load({"YINGJIAN_AIRFLOW_DATABASE": "sqlite:///airflow.db"})
