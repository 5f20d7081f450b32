"""Restoring runs nothing of a file that the office did not write, and nothing of any file as a superuser."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pyrage
import pytest

from tests import support
from yingjian.database import warehouse
from yingjian.database.embedded import EmbeddedPostgres
from yingjian.operations import backup, backup_archive, backup_keys
from yingjian.operations import restore as restoring
from yingjian.people.audience import Audience
from yingjian.privacy import access
from yingjian.settings import Settings, SetupError

KEY = backup_keys.make_key()
PUBLIC, MAC = KEY.splitlines()[0].removeprefix("# for backups: ").split(",")
IDENTITY = pyrage.x25519.Identity.from_str(KEY.splitlines()[-1])


@pytest.fixture(scope="module")
def content(guarded: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[bytes]:
    """The archive of a backup in the clear; the home has a login of a reader."""
    with warehouse.connect(guarded) as conn:
        access.grant(conn, "lin", [Audience("community", "东里社区")], True, "tester", "for a test")
    out = tmp_path_factory.mktemp("backup") / "home.age"
    backup.backup(guarded, out, f"{PUBLIC} {MAC}")
    yield pyrage.decrypt(out.read_bytes(), [IDENTITY])
    with warehouse.connect(guarded) as conn:
        access.revoke(conn, "lin", [], False, "tester", "the test is over")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The programs of PostgreSQL that a restore starts, and as whom."""
    programs: list[tuple[str, str]] = []
    start: Callable[..., Any] = restoring.start

    def noted(program: str, uri: str, *options: str, **files: Any) -> Any:
        programs.append((program, urlparse(uri).username or ""))
        return start(program, uri, *options, **files)

    monkeypatch.setattr(restoring, "start", noted)
    return programs


def changed(content: bytes, **replaced: bytes) -> bytes:
    """The archive with other members, and with the HMAC that the key gives."""

    def members() -> Iterator[tuple[tarfile.TarInfo, Any]]:
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            for member in archive:
                if member.name != "hmac":
                    file = archive.extractfile(member)
                    held = file.read() if file else b""
                    held = replaced.get(member.name.replace(".", "_"), held)
                    member.size = len(held)
                    yield member, [held]

    return b"".join(backup_archive.tar(members(), MAC.encode()))


def restore(content: bytes, folder: Path) -> None:
    (folder / "backup.age").write_bytes(pyrage.encrypt(content, [pyrage.x25519.Recipient.from_str(PUBLIC)]))
    restoring.restore(folder / "backup.age", folder / "home", KEY)


def test_a_file_that_anybody_could_have_made_for_the_public_key(
    content: bytes, tmp_path: Path, started: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[object] = []
    monkeypatch.setattr(restoring._Target, "take", lambda *arguments: begun.append(arguments))
    forged = changed(content, logins_json=b"{}")[: -backup_archive.END_BYTES]
    for end in (b"", content[-backup_archive.END_BYTES :], b"\0" * backup_archive.END_BYTES):
        with pytest.raises(SetupError, match="was not written by who has this"):
            restore(forged + end, tmp_path)
    assert begun == [] and started == [] and [path.name for path in tmp_path.iterdir()] == ["backup.age"]


@pytest.mark.parametrize(
    "logins", [{"x; drop": ["bi_reader"]}, {"lin": ["pg_execute_server_program"]}, {"postgres": ["bi_reader"]}]
)
def test_a_login_is_a_reader_s_and_nothing_else(content: bytes, logins: dict[str, list[str]], tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="has a login that is none of a reader"):
        restore(changed(content, logins_json=json.dumps(logins).encode()), tmp_path)


def test_nothing_of_the_file_runs_as_a_superuser(
    guarded: Settings, content: bytes, tmp_path: Path, started: list[tuple[str, str]]
) -> None:
    restore(content, tmp_path)
    assert started == [("pg_restore", "yingjian_owner"), ("pg_restore", "airflow")]
    restored = Settings.load({"YINGJIAN_HOME": str(tmp_path / "home")})
    try:
        warehouse.ensure_running(restored)
        rights = """
            select rolname, rolcanlogin, rolsuper, rolconnlimit, rolconfig, pg_has_role(oid, 'community_reader', 'member'),
                pg_has_role(oid, 'case_worker', 'member'), pg_has_role(oid, 'bi_reader', 'member')
            from pg_roles where rolname !~ '^pg_' order by rolname
        """
        assert support.query(restored, rights) == support.query(guarded, rights)
        owners = """
            select format('%%s.%%s', nspname, relname), pg_get_userbyid(relowner), relacl::text[] from pg_class
            inner join pg_namespace on pg_namespace.oid = relnamespace
            where nspname = any(%s) and relkind in ('r', 'p', 'v') order by 1
        """
        schemas = [
            "staging",
            "quality",
            "published",
            "publishing",
            "delivery",
            "operations",
            "audit",
            "access",
            "reporting",
        ]
        before, after = support.query(guarded, owners, schemas), support.query(restored, owners, schemas)
        assert [(name, owner, sorted(acl or [])) for name, owner, acl in after] == [
            (name, owner, sorted(acl or [])) for name, owner, acl in before
        ]
    finally:
        EmbeddedPostgres(restored).stop()
