"""Writes a home and its databases to one encrypted file; restore.py reads it.

The file is in the age format (age-encryption.org), so it can be decrypted without this program. It contains a tar archive: the
manifest, the home's secrets, the readers' logins, pg_dump output of both databases, the home's other files, and finally an HMAC
over all of it. The archive is streamed: memory use does not depend on its size, and plaintext is never written to disk.
"""

from __future__ import annotations

import getpass
import json
import os
import tarfile
import tempfile
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path

import psycopg
import pyrage

from yingjian.database import locks, warehouse
from yingjian.operations.backup_archive import (
    FORMAT,
    NOT_KEPT,
    PART_BYTES,
    READER_GROUPS,
    Manifest,
    Pulled,
    explained,
    fingerprint,
    small_member,
    tar,
)
from yingjian.operations.backup_databases import DATABASES, REBUILT_SCHEMAS, output, reading_uri, row_counts
from yingjian.operations.backup_keys import mac_of, recipients_of
from yingjian.privacy import audit_trail
from yingjian.settings import Settings, SetupError

_DUMP = ("--format=custom", "--compress=1")


def backup(settings: Settings, out: Path, key: str | None) -> Manifest:
    """Write a home and a consistent snapshot of each of its databases to `out`; only the secret key can open it.

    key: the key itself or a file with it; the part after "for backups:" in a key file is sufficient. Raises SetupError and
    leaves no file behind.
    """
    recipients, mac = recipients_of(key), mac_of(key)
    if out.exists():
        raise SetupError(f"{out} is there already: a backup replaces nothing, choose another name")
    if not out.absolute().parent.is_dir():
        raise SetupError(f"{out.parent} is not a folder: make it first")
    if out.absolute().resolve().is_relative_to(settings.home.resolve()):
        raise SetupError(f"{out} lies in the home that it saves and would be lost with it: choose a place outside")
    warehouse.ensure_running(settings)
    with warehouse.connect(settings) as conn:
        audit_trail.record(conn, getpass.getuser(), "backup", "home", None)
    content = _Content(settings)
    with tempfile.NamedTemporaryFile(dir=out.absolute().parent, prefix=f".{out.name}.", delete=False) as file:
        try:
            with closing(content.members()) as members:  # Closing the generator releases its locks after an error.
                pyrage.encrypt_io(Pulled(tar(members, mac)), file, recipients)
            file.flush()
            os.fsync(file.fileno())
            os.link(file.name, out)
        except (pyrage.EncryptError, OSError) as error:
            raise explained(content.failure or error, f"the backup could not be written to {out}") from None
        finally:
            os.unlink(file.name)
    with warehouse.connect(settings) as conn:
        conn.execute("insert into operations.backup (size_bytes) values (%s)", (out.stat().st_size,))
    assert content.manifest is not None
    return content.manifest


class _Content:
    """Yields a home's archive members in the order in which a restore needs them.

    `failure` is the error that stopped it, if any.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.manifest: Manifest | None = None
        self.failure: BaseException | None = None

    def members(self) -> Generator[tuple[tarfile.TarInfo, Iterable[bytes]], None, None]:
        try:
            with _snapshots(self._settings) as (publication, snapshots):
                tables = {database: counts for database, (_, counts) in snapshots.items()}
                self.manifest = Manifest(
                    FORMAT, self._settings.code_version, fingerprint(self._settings), publication, tables
                )
                yield small_member("manifest.json", json.dumps(asdict(self.manifest)).encode())
                yield from _files(self._settings.home, ["secrets"])
                yield small_member("logins.json", json.dumps(_logins(self._settings)).encode())
                for database, (snapshot, _) in snapshots.items():
                    options = [f"--exclude-schema={schema}" for schema in REBUILT_SCHEMAS]
                    dump = output(
                        "pg_dump", reading_uri(self._settings, database), *_DUMP,
                        f"--snapshot={snapshot}", *(options if database == DATABASES[0] else ()),
                    )  # fmt: skip
                    for number, part in enumerate(dump):
                        yield small_member(f"database/{database}/{number:06}", part)
            # Files come after the databases, so every publication in the dump already has its report.
            names = {path.name for path in self._settings.home.iterdir()} - NOT_KEPT - {"secrets"}
            yield from _files(self._settings.home, sorted(names))
        except BaseException as error:
            self.failure = error
            raise


def _logins(settings: Settings) -> dict[str, list[str]]:
    """Return the readers' logins with their groups; passwords are not backed up."""
    with warehouse.connect(settings) as conn:
        return dict(
            conn.execute(
                """
                select login.rolname::text, array_agg(reader.rolname::text order by reader.rolname)
                from pg_auth_members
                inner join pg_roles as login on login.oid = member
                inner join pg_roles as reader on reader.oid = roleid
                where reader.rolname = any(%s) and login.rolcanlogin and not login.rolsuper and login.rolname <> current_user
                group by login.rolname order by login.rolname
                """,
                (list(READER_GROUPS),),
            ).fetchall()
        )


@contextmanager
def _snapshots(settings: Settings) -> Iterator[tuple[int | None, dict[str, tuple[str, dict[str, int]]]]]:
    """Yield a snapshot of both databases: (current publication, database -> (snapshot id, row count per table)).

    Publishing and pruning wait meanwhile. Otherwise a dropped or altered table would abort the dump, or the DDL would wait for
    the dump and block readers.
    """
    warehouse_uri, airflow_uri = (reading_uri(settings, database) for database in DATABASES)
    with psycopg.connect(warehouse_uri) as one, psycopg.connect(airflow_uri) as other:
        one.execute("select pg_advisory_lock(hashtext(%s))", (locks.PUBLISHING,))
        one.commit()
        snapshots = {}
        for database, conn in zip(DATABASES, (one, other), strict=True):
            conn.execute("set transaction isolation level repeatable read")
            row = conn.execute("select pg_export_snapshot()").fetchone()
            snapshots[database] = (str(row[0] if row else ""), row_counts(conn))
        current = one.execute("select publication_id from published.current").fetchone()
        yield (int(current[0]) if current else None), snapshots


def _files(home: Path, names: Iterable[str]) -> Iterator[tuple[tarfile.TarInfo, Iterable[bytes]]]:
    """Yield folders and regular files under these names of the home, with mode and modification time."""
    ahead = [home / name for name in reversed(list(names))]
    while ahead:
        path = ahead.pop()
        try:
            status = path.lstat()
            is_folder, is_file = path.is_dir() and not path.is_symlink(), path.is_file() and not path.is_symlink()
            if is_folder:
                ahead += sorted(path.iterdir(), reverse=True)
        except FileNotFoundError:
            continue  # The file was deleted after its folder was listed.
        info = tarfile.TarInfo(f"home/{path.relative_to(home)}")
        info.mode, info.mtime = status.st_mode & 0o777, int(status.st_mtime)
        if is_folder:
            info.type = tarfile.DIRTYPE
            yield info, []
        elif is_file:
            info.size = status.st_size
            yield info, _blocks(path, status.st_size)


def _blocks(path: Path, size: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        while size:
            block = file.read(min(size, PART_BYTES))
            if not block:
                raise SetupError(f"{path.name} was cut off while it was read: run the backup again")
            size -= len(block)
            yield block
