"""Backup and restore: every row comes back, or nothing does."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import stat
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pyrage
import pytest

from tests import support
from tests.bench.memory import peak_mib
from tests.conftest import WORLD_DAY
from yingjian.cli import main
from yingjian.database import warehouse
from yingjian.database.bootstrap import AIRFLOW_ROLE, bootstrap
from yingjian.database.embedded import EmbeddedPostgres
from yingjian.operations import backup, backup_databases, backup_keys, migration, restore
from yingjian.privacy import audit_trail
from yingjian.reports.packs import write_report
from yingjian.settings import Settings, SetupError

KEY = backup_keys.make_key()
WRITING = KEY.splitlines()[0].removeprefix("# for backups: ")
IDENTITY = pyrage.x25519.Identity.from_str(KEY.splitlines()[-1])


def of_home(home: Path, **env: str) -> Settings:
    return Settings.load({"YINGJIAN_HOME": str(home), **env})


@pytest.fixture(scope="module")
def saved(world: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of the session's town, made with the keys for writing alone."""
    (world.home / "officials.yml").write_text("officials: []\n")
    (world.home / "pulled" / "test_results").mkdir(parents=True)
    (world.home / "pulled" / "test_results" / "a.csv").write_bytes(b"\0\1" * 5000)
    with warehouse.connect(world) as conn:
        for number in range(3):
            audit_trail.record(conn, "tester", "export", f"list {number}", "for a test", page=number)
        audit_trail.verify(conn, world.home / "audit_end.json")
    out = tmp_path_factory.mktemp("backup") / "town.age"
    backup.backup(world, out, WRITING)
    shutil.rmtree(world.home / "pulled")
    (world.home / "officials.yml").unlink()
    return out


@pytest.fixture(scope="module")
def restored(saved: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    home = tmp_path_factory.mktemp("restored") / "home"
    key_file = home.with_name("key.txt")
    key_file.write_text(KEY)
    restore.restore(saved, home, str(key_file))
    settings = of_home(home)
    warehouse.ensure_running(settings)
    yield settings
    EmbeddedPostgres(settings).stop()


def everything(settings: Settings) -> dict[str, list[str]]:
    """Every row of every table and view that a backup keeps, but for the audit trail."""
    with warehouse.connect(settings) as conn:
        names = conn.execute(
            """
            select format('%I.%I', nspname, relname) from pg_class
            inner join pg_namespace on pg_namespace.oid = relnamespace
            where relkind in ('r', 'p', 'v') and nspname !~ '^pg_' and nspname not in ('information_schema', 'build', 'intermediate', 'staging_latest', 'audit')
            """
        ).fetchall()
        return {name: sorted(row for (row,) in conn.execute(f"select t::text from {name} as t")) for (name,) in names}  # type: ignore[arg-type]


def events(settings: Settings) -> list[tuple]:  # type: ignore[type-arg]
    return support.query(settings, "select event.* from audit.event order by event_id")


def test_every_row_comes_back(world: Settings, restored: Settings) -> None:
    rows_before, rows_restored = everything(world), everything(restored)
    [backup_row] = set(rows_before.pop("operations.backup")) - set(rows_restored.pop("operations.backup"))
    assert backup_row, "the backup itself is on record once it is whole, so that one that is old is told of"
    assert len(rows_before) > 100 and len(rows_before["reporting.obligation"]) > 100
    assert rows_restored == rows_before


def test_the_audit_trail_comes_back_and_goes_on(world: Settings, restored: Settings) -> None:
    *before, last = events(restored)
    assert before == events(world) and len(before) >= 4
    assert last[3:5] == ("restore", "home")
    with warehouse.connect(restored) as conn:
        assert audit_trail.verify(conn, restored.home / "audit_end.json").broken is None
    assert (restored.home / "audit_end.json").exists()


def test_files_secrets_roles_and_comments_come_back(world: Settings, restored: Settings, tmp_path: Path) -> None:
    assert (restored.home / "pulled" / "test_results" / "a.csv").read_bytes() == b"\0\1" * 5000
    assert (restored.home / "officials.yml").read_text() == "officials: []\n"
    assert restored.person_secret == world.person_secret
    for secret in (restored.home / "secrets").iterdir():
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert stat.S_IMODE((restored.home / "secrets").stat().st_mode) == 0o700
    with warehouse.connect(restored, "bi_reader") as conn:
        assert conn.execute("select count(*) from reporting.obligation").fetchone() != (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("select count(*) from restricted.person")
    comment = "select obj_description('reporting.obligation'::regclass), col_description('reporting.due'::regclass, 3)"
    assert support.query(restored, comment) == support.query(world, comment)
    pages = []
    for settings, name in ((world, "before"), (restored, "after")):
        (tmp_path / name).mkdir()
        with warehouse.connect(settings) as conn:
            [(number,)] = conn.execute("select publication_id from reporting.publication").fetchall()
            pages.append(write_report(conn, number, tmp_path / name).read_bytes())
    assert pages[0] == pages[1], "the same publication gives the same bytes"
    migration.migrate(restored)


@pytest.mark.slow
def test_the_next_run_completes(world: Settings, restored: Settings) -> None:
    """Models and all: what a backup leaves out is built anew."""
    support.run_day(restored, WORLD_DAY, "after the restore")
    assert support.marts(restored) == support.marts(world)


def test_nothing_stands_in_the_clear(world: Settings, saved: Path) -> None:
    content = saved.read_bytes()
    assert content.startswith(b"age-encryption.org/v1\n") and stat.S_IMODE(saved.stat().st_mode) == 0o600
    [(name, number)] = support.query(world, "select name, id_number from restricted.person limit 1")
    for text in (name, number, world.secret("person_key"), "manifest.json", "restricted"):
        assert text.encode() not in content
    assert [path.name for path in saved.parent.iterdir()] == ["town.age"]
    (saved.parent / "opened.tar").write_bytes(pyrage.decrypt(content, [IDENTITY]))
    with tarfile.open(saved.parent / "opened.tar") as archive:
        names = archive.getnames()
    (saved.parent / "opened.tar").unlink()
    assert names[0] == "manifest.json" and "database/airflow/000000" in names
    assert not any(name.startswith(("home/postgres", "home/dbt", "home/airflow")) for name in names)


def assert_nothing_restored(home: Path) -> None:
    assert not home.exists() and not home.with_name(f"{home.name}.restoring").exists()
    command_lines = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
    assert not any(str(home) in line for line in command_lines), "no server goes on"


@pytest.mark.parametrize("damage", ["first byte", "head", "middle", "last byte", "half", "end", "empty", "appended"])
def test_a_damaged_or_cut_backup_is_refused_whole(saved: Path, tmp_path: Path, damage: str) -> None:
    content = bytearray(saved.read_bytes())
    at = {"first byte": 0, "head": 150, "middle": len(content) // 2, "last byte": len(content) - 1}.get(damage)
    if at is not None:
        content[at] ^= 1
    cut = {"half": len(content) // 2, "end": len(content) - 20, "empty": 0}.get(damage, len(content))
    broken = tmp_path / "broken.age"
    broken.write_bytes(bytes(content[:cut]) + (b"x" if damage == "appended" else b""))
    with pytest.raises(SetupError, match="is damaged, cut off or no backup: nothing was restored"):
        restore.restore(broken, tmp_path / "home", KEY)
    assert_nothing_restored(tmp_path / "home")


def test_cut_between_two_of_its_pieces(saved: Path, tmp_path: Path) -> None:
    """age encrypts in pieces of 64 KiB: a file that ends with a whole piece is still known to be cut."""
    content = saved.read_bytes()
    head = content.index(b"\n--- ") + 5
    body = (
        content.index(b"\n", head) + 1 + 16
    )  # The offset comes after the line with the header's own code, and the nonce.
    broken = tmp_path / "broken.age"
    broken.write_bytes(content[: body + 4 * (65536 + 16)])
    with pytest.raises(SetupError, match="damaged, cut off"):
        restore.restore(broken, tmp_path / "home", KEY)
    assert_nothing_restored(tmp_path / "home")


def test_a_wrong_key_and_no_key(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    for key, sentence in {
        backup_keys.make_key(): "was not made for this key",
        WRITING: "restoring needs the secret one",
        f"# nothing\n{KEY.splitlines()[-1]}": "has no YINGJIAN-MAC-",
        "AGE-SECRET-KEY-1XYZ": "holds no valid key",
        str(tmp_path / "nowhere"): "neither a key nor a file with one",
        "": "YINGJIAN_BACKUP_KEY is not set",
    }.items():
        monkeypatch.setenv("YINGJIAN_BACKUP_KEY", ",".join(key.splitlines()[1:]) or key)
        assert main(["restore", str(saved), "--home", str(home)]) == 2
        message = capsys.readouterr().err
        assert sentence in message and len(message.splitlines()) == 1 and "AGE-SECRET" not in message.replace("(AGE-SECRET-KEY-…)", "")  # fmt: skip
        assert_nothing_restored(home)


def test_a_home_that_is_not_empty_is_left_as_it_is(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "kept").write_text("x")
    with pytest.raises(SetupError, match="is not empty"):
        restore.restore(saved, tmp_path / "home", KEY)
    assert [path.name for path in tmp_path.rglob("*")] == ["home", "kept"]


def test_another_person_key_is_refused(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YINGJIAN_PERSON_KEY", "another")
    with pytest.raises(SetupError, match="YINGJIAN_PERSON_KEY is not the one"):
        restore.restore(saved, tmp_path / "home", KEY)
    assert_nothing_restored(tmp_path / "home")


@pytest.mark.beyond
def test_what_is_left_of_a_killed_restore_is_in_nobodys_way(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while its server runs; the next one cleans up. A row that is not there at the end is noticed."""
    killed = subprocess.Popen(
        [sys.executable, "-m", "yingjian.cli", "restore", str(saved), "--home", str(tmp_path / "home")],
        env={**os.environ, "YINGJIAN_BACKUP_KEY": KEY},
    )
    making = of_home(tmp_path / "home.restoring")
    while killed.poll() is None and not EmbeddedPostgres(making)._answers():
        time.sleep(0.05)
    killed.kill()
    assert killed.wait() == -signal.SIGKILL and making.home.exists() and not (tmp_path / "home").exists()
    count = restore.row_counts
    monkeypatch.setattr(restore, "row_counts", lambda conn: {name: rows + 1 for name, rows in count(conn).items()})
    with pytest.raises(SetupError, match="are not those of the backup"):
        restore.restore(saved, tmp_path / "home", KEY)
    assert_nothing_restored(tmp_path / "home")


@pytest.mark.beyond
def test_to_another_server_and_nothing_there_when_it_fails(
    world: Settings, saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = EmbeddedPostgres(of_home(tmp_path / "server"))
    server.ensure_running()
    try:
        monkeypatch.setenv("YINGJIAN_WAREHOUSE", server.uri("yingjian_owner"))
        monkeypatch.setenv("YINGJIAN_PERSON_KEY", world.secret("person_key"))
        there = Settings.load()
        with psycopg.connect(server.uri("postgres", "postgres"), autocommit=True) as conn:
            bootstrap(conn, warehouse.owner_password(there), warehouse.password(there, AIRFLOW_ROLE))
        with monkeypatch.context() as patch:
            patch.setattr(audit_trail, "verify", lambda *_: audit_trail.Verdict(4, 2, "it was changed"))
            with pytest.raises(SetupError, match="audit trail is broken at event 2"):
                restore.restore(saved, tmp_path / "home", KEY)
        for database in backup_databases.DATABASES:
            with psycopg.connect(server.uri("postgres", database)) as conn:
                assert backup_databases.row_counts(conn) == {}
        restore.restore(saved, tmp_path / "home", KEY)
        external = of_home(tmp_path / "home", YINGJIAN_WAREHOUSE=server.uri("yingjian_owner"), YINGJIAN_PERSON_KEY="x")
        assert support.marts(external) == support.marts(world)
        with pytest.raises(SetupError, match="is not empty: empty it"):
            restore.restore(saved, tmp_path / "again", KEY)
        assert support.marts(external) == support.marts(world), "what was there is left as it was"
        assert not (tmp_path / "home" / "postgres").exists()
    finally:
        server.stop()


def test_a_backup_replaces_nothing_and_leaves_nothing_when_it_fails(
    world: Settings, saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for out, sentence in (
        (saved, "is there already"),
        (world.home / "reports.age", "lies in the home that it saves"),
        (tmp_path / "nowhere" / "x.age", "is not a folder"),
    ):
        with pytest.raises(SetupError, match=sentence):
            backup.backup(world, out, KEY)
    monkeypatch.setattr(backup, "_DUMP", ("--no-such-option",))
    with pytest.raises(SetupError, match="pg_dump failed: exit code 1"):
        backup.backup(world, tmp_path / "x.age", KEY)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_large_home_in_little_memory(fresh_home: Settings, tmp_path: Path) -> None:
    (fresh_home.home / "pulled").mkdir()
    (fresh_home.home / "pulled" / "large.csv").touch()
    os.truncate(fresh_home.home / "pulled" / "large.csv", 300 << 20)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(_backup_and_measure, (fresh_home, tmp_path / "x.age")) < 150
    assert (tmp_path / "x.age").stat().st_size > 300 << 20


def _backup_and_measure(settings: Settings, out: Path) -> int:
    """Return by how much the process grew; what the tests import is there before."""
    before = peak_mib()
    backup.backup(settings, out, KEY)
    return peak_mib() - before
