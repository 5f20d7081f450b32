"""Tables by migrations that run once, in order; what else the warehouse is made of, by files that run each time."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import psycopg
import pytest

from tests.support import query
from yingjian import cli
from yingjian.database import schema, warehouse
from yingjian.operations import backup_databases, migration, status
from yingjian.privacy import grants, protection
from yingjian.publishing import reader_views
from yingjian.settings import Settings, SetupError


@pytest.fixture
def migrations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the migrations, which this process takes for them: a test may add some."""
    folder = tmp_path / "migrations"
    shutil.copytree(schema.MIGRATIONS, folder)
    monkeypatch.setattr(migration, "MIGRATIONS", folder)
    return folder


# The tables of the first migrations as they were before there were any, with a file on record; what later ones made stays.
OLDER_HOME = """
delete from migration.applied where number < 10;
alter table migration.applied drop column digest;
alter table quality.landed_file drop column is_to_retry, drop column rows_deleted cascade,
    drop constraint landed_file_status_check,
    add constraint landed_file_status_check check (status in ('staged', 'duplicate', 'rejected', 'unknown_feed'));
alter table quality.rejected_row drop column sender cascade;
alter table published.publication drop column last_check_id;
alter table staging.residents drop column community cascade;
insert into quality.landed_file (feed, file_name, location, modified_at, size_bytes, status)
values ('residents', 'a.csv', '/a.csv', now(), 1, 'staged');
"""
INSERT = "insert into quality.landed_file (feed, file_name, location, modified_at, size_bytes, status) values ('residents', 'b.csv', '/b.csv', now(), %s, %s)"


def test_an_older_home_gets_columns_constraints_and_a_check(fresh_home: Settings, migrations: Path) -> None:
    made_anew = query(fresh_home, SHAPE)
    with warehouse.connect(fresh_home) as conn:
        conn.execute(OLDER_HOME)
    migration.migrate(fresh_home)
    assert query(fresh_home, SHAPE) == made_anew, "an older home is what a new one is"
    assert query(fresh_home, "select count(*) from quality.landed_file") == [(1,)]

    (migrations / "9001_sizes.sql").write_text(
        "alter table quality.landed_file add constraint has_a_size check (size_bytes >= 0);", encoding="utf-8"
    )
    migration.migrate(fresh_home)
    migration.migrate(fresh_home)
    with warehouse.connect(fresh_home) as conn:
        conn.execute(INSERT, (1, "unpacked"))
        with pytest.raises(psycopg.errors.CheckViolation, match="has_a_size"):
            conn.execute(INSERT, (-1, "unpacked"))


# Every column, constraint and index of the tables that no dbt model makes, whatever the order of the columns.
SHAPE = """
select attrelid::regclass || '.' || attname as name, format_type(atttypid, atttypmod) || ' ' || attnotnull
from pg_attribute inner join pg_class on pg_class.oid = attrelid
where attnum > 0 and not attisdropped and relkind = 'r' and not (attrelid::regclass::text ~ '^(pg_|information_schema|migration)')
union all
select conrelid::regclass::text, pg_get_constraintdef(oid) from pg_constraint where conrelid <> 0
union all
select tablename::text, indexdef from pg_indexes where schemaname !~ '^(pg_|information_schema)'
order by 1, 2
"""


def test_a_migration_runs_once_and_is_not_edited(fresh_home: Settings, migrations: Path) -> None:
    added = migrations / "9001_note.sql"
    added.write_text("create table quality.note (said text);", encoding="utf-8")
    with warehouse.connect(fresh_home) as conn:
        assert schema.apply_migrations(conn, migrations) == ["9001_note"]
        assert schema.apply_migrations(conn, migrations) == []
    added.write_text("create table quality.note (said text not null);", encoding="utf-8")
    with pytest.raises(SetupError, match="9001_note is not the one that was applied here"):
        migration.migrate(fresh_home)


def test_reading_changes_nothing_and_says_what_to_run(
    fresh_home: Settings, migrations: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("YINGJIAN_HOME", str(fresh_home.home))
    assert cli.main(["quarantine", "list"]) == 0
    assert status.collect(fresh_home)["is_migrated"] is True
    (migrations / "9001_note.sql").write_text("create table quality.note (said text);", encoding="utf-8")
    capsys.readouterr()
    for command in (["quarantine", "list"], ["delivery", "list"], ["audit", "list"], ["warehouse", "uri", "--role", "loader"]):  # fmt: skip
        assert cli.main(command) == 2
        message = capsys.readouterr().err
        assert message.count("\n") == 1 and "run `yingjian migrate`" in message
    assert any("run `yingjian migrate`" in text for text in status.collect(fresh_home)["attention"])
    assert query(fresh_home, "select to_regclass('quality.note') is null") == [(True,)]
    assert cli.main(["migrate"]) == 0
    assert cli.main(["quarantine", "list"]) == 0
    assert query(fresh_home, "select to_regclass('quality.note') is null") == [(False,)]


def test_a_version_that_makes_rights_or_views_otherwise_is_another_one(
    fresh_home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "newer.py").touch()
    with warehouse.connect(fresh_home) as conn:
        assert migration.is_migrated(conn)
        for module in (grants, protection, reader_views):
            with monkeypatch.context() as newer:
                newer.setattr(module, "__file__", str(tmp_path / "newer.py"))
                assert not migration.is_migrated(conn), module.__name__


def test_an_empty_database_says_so_too(
    fresh_home: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with warehouse.connect(fresh_home) as conn:
        conn.execute("drop schema access cascade")
    monkeypatch.setenv("YINGJIAN_HOME", str(fresh_home.home))
    assert cli.main(["quarantine", "list"]) == 2
    assert "run `yingjian migrate`" in capsys.readouterr().err


def test_files_that_run_each_time_make_no_table_that_a_backup_holds() -> None:
    statements = {
        name
        for path in schema.SQL_FOLDER.glob("*.sql")
        for name in re.findall(r"create (?:unlogged )?table (?:if not exists )?(\S+)", path.read_text(encoding="utf-8"))
    }
    assert statements == {"intermediate.increment_progress"}
    assert "intermediate" in backup_databases.REBUILT_SCHEMAS
