"""Nobody else reads what is written down about persons, and a look at a person ends."""

from __future__ import annotations

import inspect
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from stat import S_IMODE

import psycopg
import pytest

from tests import support
from yingjian.cli import main
from yingjian.cli import run as commands
from yingjian.database import warehouse
from yingjian.database.embedded import EmbeddedPostgres
from yingjian.operations import run, status
from yingjian.orchestration import housekeeping
from yingjian.privacy import rotation
from yingjian.privacy.person_key import keys_of_documents
from yingjian.settings import Settings

SECRET = "陈测试350503194205022751"


def test_the_server_s_log_quotes_no_value(guarded: Settings) -> None:
    for statement in (
        f"select '{SECRET}'::date",
        f"do $$ begin raise warning '{SECRET}'; raise exception '{SECRET}'; end $$",
        f"create temp table t (k text primary key); insert into t values ('{SECRET}'), ('{SECRET}')",
    ):
        with warehouse.connect(guarded) as conn, pytest.raises(psycopg.Error, match=SECRET):
            conn.execute(statement)  # type: ignore[arg-type]
            conn.commit()
    log = (EmbeddedPostgres(guarded).folder / "server.log").read_text(errors="replace")
    assert "database system is ready" in log and SECRET not in log


def test_the_server_s_log_ends_with_its_days(guarded: Settings, tmp_path: Path) -> None:
    """The log is emptied into a copy of the day, and only copies that are old enough are deleted."""
    now = datetime.now(UTC)
    log = EmbeddedPostgres(guarded).folder / "server.log"
    before = log.read_text(errors="replace")
    assert housekeeping.clean_server_log(log, now - timedelta(days=90)) == 0
    [copy] = log.parent.glob("server.log.*")
    assert copy.read_text(errors="replace") == before and log.stat().st_size == 0
    os.utime(copy, (0, 0))
    assert housekeeping.clean_server_log(log, now - timedelta(days=90)) == 1 and not copy.exists()
    log.write_text(before)  # The other tests read it.
    assert housekeeping.clean_server_log(tmp_path / "server.log", now) == 0, "an external server has its own"


def test_a_home_is_its_owner_s(tmp_path: Path) -> None:
    opened = tmp_path / "opened"
    opened.mkdir(mode=0o755)
    for home in (opened, tmp_path / "inner" / "new"):
        Settings.load({"YINGJIAN_HOME": str(home)}).secret("one")
        assert S_IMODE(home.stat().st_mode) & 0o066 == 0
    assert S_IMODE((tmp_path / "inner" / "new").stat().st_mode) == 0o700


def test_what_a_command_writes_is_not_everybody_s(capsys: pytest.CaptureFixture[str]) -> None:
    before = os.umask(0)
    try:
        main(["backup-key"])
        assert os.umask(0) == 0o027
    finally:
        os.umask(before)
        capsys.readouterr()


def test_a_look_ends_with_its_hour_in_an_open_transaction_too(guarded: Settings) -> None:
    with warehouse.connect(guarded) as conn:
        conn.execute(
            """
            create or replace function access.is_of_own_part(person_key text) returns boolean
            language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$ begin return true; end $$;
            insert into access.look (login, person_key, looked_at, asked_in)
            values (session_user, 'P1', clock_timestamp() - interval '1 hour' + interval '1 second', '1')
            """
        )
        may_read = "select access.may_read_person('P1')"
        assert conn.execute(may_read).fetchone() == (True,)
        conn.execute("select pg_sleep(1)")
        assert conn.execute(may_read).fetchone() == (False,)
        conn.rollback()
    assert support.query(guarded, "select count(*) from access.look where person_key = 'P1'") == [(0,)]


def test_a_rotation_leaves_no_old_key_and_asks_for_the_old_secret(fresh_home: Settings) -> None:
    documents = [("居民身份证", "350503194205022751")]
    [old] = keys_of_documents(fresh_home.person_secret, documents)
    with warehouse.connect(fresh_home) as conn:
        conn.execute(
            """
            insert into staging.test_results (sample_key, id_type, id_number, person_key, file_id, line)
            select number::text, '居民身份证', '350503194205022751', %s, 1, number from generate_series(1, 500) as number
            """,
            (old,),
        )
    assert not any("retired" in sentence for sentence in status.collect(fresh_home)["attention"])

    def places() -> list[tuple[str]]:
        """The places with old keys: the statistics, or rows that are dead until a vacuum."""
        with psycopg.connect(EmbeddedPostgres(fresh_home).uri("postgres"), autocommit=True) as conn:
            return conn.execute(
                """
                select 'statistics' from pg_stats where most_common_vals::text like %s
                union all select 'rows' from pg_stat_user_tables where relname = 'test_results' and last_vacuum is null
                """,
                (f"%{old}%",),
            ).fetchall()

    with warehouse.connect(fresh_home) as conn:
        conn.execute("analyze staging.test_results")
    assert ("statistics",) in places()
    with warehouse.connect(fresh_home) as conn:
        rotation.rotate(conn, fresh_home, None, "tester", "for a test")
    assert places() == []
    assert support.query(fresh_home, "select count(*) from staging.test_results where person_key = %s", old) == [(0,)]
    assert any("1 retired secrets of person keys" in sentence for sentence in status.collect(fresh_home)["attention"])


def test_a_service_prints_no_password() -> None:
    """Standard output of a service stays in a journal; `yingjian users --passwords` is asked by a person."""
    assert not [module for module in (run, commands) if "password}" in inspect.getsource(module)]
