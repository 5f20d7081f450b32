"""Restores a backup, all or nothing.

Anybody with the public key can encrypt a file, so a restore first copies the file to where nobody else can exchange it and
verifies the HMAC with the office's key. Nothing of the file is executed before that, and nothing ever as a superuser.
"""

from __future__ import annotations

import getpass
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import fields
from pathlib import Path, PurePosixPath
from typing import IO, Any

import psycopg
from psycopg import sql

from yingjian.database import roles, warehouse
from yingjian.database.embedded import EmbeddedPostgres
from yingjian.names import LOGIN
from yingjian.operations import migration
from yingjian.operations.backup_archive import (
    FORMAT,
    NOT_KEPT,
    PART_BYTES,
    READER_GROUPS,
    Manifest,
    decrypted,
    explained,
    fingerprint,
    require_own,
)
from yingjian.operations.backup_databases import DATABASES, is_own, owner_uri, require_success, row_counts, start
from yingjian.operations.backup_keys import identities_of, mac_of
from yingjian.privacy import audit_trail
from yingjian.settings import Settings, SetupError


def restore(file: Path, home: Path, key: str | None) -> Manifest:
    """Restore a backup into `home`, verified, all or nothing.

    If YINGJIAN_WAREHOUSE is set, the databases are restored to that server, where both must be empty. Raises SetupError.
    """
    identities, mac = identities_of(key), mac_of(key)
    if not file.is_file():
        raise FileNotFoundError(f"{file} is not a file: give a backup")
    home = home.absolute()
    if home.exists() and (not home.is_dir() or any(home.iterdir())):
        raise SetupError(f"{home} is not empty: a backup is restored into an empty home, choose another one")
    making = home.with_name(f"{home.name}.restoring")
    settings = Settings.load({**os.environ, "YINGJIAN_HOME": str(making)})
    _discard_home(settings)  # A killed restore may have left this folder.
    target = _Target(settings)
    own_copy = making / ".backup"
    try:
        making.mkdir(parents=True, mode=0o700)
        shutil.copyfile(file, own_copy)
        require_own(own_copy, file, identities, mac)
        with decrypted(own_copy, identities) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                target.take(member, archive.extractfile(member) if member.isreg() else None)
            target.finish()
        own_copy.unlink()
        manifest = target.verify()
        EmbeddedPostgres(settings).stop()
        if home.exists():
            home.rmdir()
        making.rename(home)
    except BaseException as error:
        target.undo()
        _discard_home(settings)
        if isinstance(error, (tarfile.TarError, OSError, psycopg.Error)):
            raise explained(error, f"{file} could not be restored") from None
        raise
    return manifest


class _Target:
    """Restores a backup member by member."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._manifest: Manifest | None = None
        self._database: str | None = None
        self._restoring: subprocess.Popen[bytes] | None = None
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        self._to_empty: list[str] = []
        self._logins: dict[str, list[str]] = {}

    def take(self, member: tarfile.TarInfo, content: IO[bytes] | None) -> None:
        parts = PurePosixPath(member.name).parts
        if member.name == "manifest.json" and content:
            self._manifest = self._read_manifest(content.read())
        elif self._manifest is None:
            raise SetupError("the backup does not begin with its manifest: it was not written by this program")
        elif parts[0] == "home":
            self._take_file(member, content)
        elif member.name == "logins.json" and content:
            self._logins = json.loads(content.read())
        elif member.name == "hmac":
            pass
        elif parts[0] == "database" and len(parts) == 3 and parts[1] in DATABASES and content:
            self._take_part(parts[1], content)
        else:
            raise SetupError(f"the backup has a member {member.name!r} that this version does not know")

    def _read_manifest(self, content: bytes) -> Manifest:
        values = json.loads(content)
        if values["format"] != FORMAT:
            raise SetupError(
                f"the backup has format {values['format']}, this version reads {FORMAT}: use its own version"
            )
        return Manifest(**{item.name: values[item.name] for item in fields(Manifest)})

    def _take_file(self, member: tarfile.TarInfo, content: IO[bytes] | None) -> None:
        path = PurePosixPath(member.name)
        if ".." in path.parts or path.is_absolute() or len(path.parts) < 2 or path.parts[1] in NOT_KEPT:
            raise SetupError("the backup has a file that lies outside of its home: it was not written by this program")
        target = self._settings.home.joinpath(*path.parts[1:])
        if member.isdir():
            target.mkdir(mode=0o700, exist_ok=True)
        elif content is not None:
            with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                shutil.copyfileobj(content, file, PART_BYTES)
            os.utime(target, (member.mtime, member.mtime))
        target.chmod(member.mode & 0o777 | 0o600)

    def _take_part(self, database: str, content: IO[bytes]) -> None:
        if database != self._database:
            self.finish()
            self._begin(database)
        assert self._restoring and self._restoring.stdin
        try:
            shutil.copyfileobj(content, self._restoring.stdin, PART_BYTES)
        except BrokenPipeError:
            self.finish()

    def _begin(self, database: str) -> None:
        assert self._manifest
        if fingerprint(self._settings) != self._manifest.person_key:
            raise SetupError(
                "YINGJIAN_PERSON_KEY is not the one that the backup was made with: set it to that one, or persons would"
                " get other keys"
            )
        warehouse.ensure_running(self._settings)
        uri = owner_uri(self._settings, database)
        if not is_own(self._settings, database):
            with psycopg.connect(uri) as conn:
                if row_counts(conn):
                    raise SetupError(
                        f"the database {database} of YINGJIAN_WAREHOUSE is not empty: empty it, or give another"
                    )
            self._to_empty.append(database)
        if database == DATABASES[0]:
            # The dump refers to roles, so they must exist before it is restored.
            with warehouse.connect(self._settings) as conn:
                roles.make_roles(conn, self._settings)
                roles.set_passwords(conn, self._settings, warehouse.ROLES)
                if self._settings.warehouse is None:
                    self._make_logins(conn)
        self._database = database
        self._errors.truncate(0)
        self._restoring = start(
            # Owners and grants are not taken from the file; the migration sets them.
            "pg_restore", uri, "--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges",
            stdin=subprocess.PIPE, errors=self._errors,
        )  # fmt: skip

    def _make_logins(self, conn: psycopg.Connection[Any]) -> None:
        """Create the readers' logins, without passwords and only as members of reader groups."""
        taken = {name for (name,) in conn.execute("select rolname from pg_roles").fetchall()}
        for login, groups in self._logins.items():
            if not LOGIN.fullmatch(login) or login in taken or not set(groups) <= set(READER_GROUPS):
                raise SetupError("the backup has a login that is none of a reader: it was not written by this program")
            conn.execute(sql.SQL("create role {} login").format(sql.Identifier(login)))
            conn.execute(sql.SQL("alter role {} set search_path to reporting, pg_temp").format(sql.Identifier(login)))
            for group in groups:
                conn.execute(sql.SQL("grant {} to {}").format(sql.Identifier(group), sql.Identifier(login)))

    def finish(self) -> None:
        """Wait for the current pg_restore. Raises SetupError if it failed."""
        process, self._restoring = self._restoring, None
        if process:
            try:
                process.communicate()
            except BrokenPipeError:
                process.wait()
            require_success("pg_restore", process, self._errors)

    def verify(self) -> Manifest:
        """Verify that each table's row count matches the manifest and that the audit trail is unbroken.

        Records the restore in the trail.
        """
        manifest = self._manifest
        if manifest is None or self._database != DATABASES[-1]:
            raise SetupError("the backup has not all of its parts")
        for database in DATABASES:
            with psycopg.connect(owner_uri(self._settings, database), autocommit=True) as conn:
                if row_counts(conn) != manifest.tables[database]:
                    raise SetupError(f"the rows of {database} are not those of the backup: nothing was restored")
                conn.execute("analyze")
        migration.migrate(self._settings)  # A dump contains no grants on the database itself.
        with warehouse.connect(self._settings) as conn:
            verdict = audit_trail.verify(conn, self._settings.home / "audit_end.json")
            if verdict.broken is not None:
                raise SetupError(f"the backup's audit trail is broken at event {verdict.broken}: {verdict.reason}")
            audit_trail.record(conn, getpass.getuser(), "restore", "home", None)
        return manifest

    def undo(self) -> None:
        """Remove everything restored, also from an external server."""
        if self._restoring:
            self._restoring.kill()
            self._restoring.wait()
        for database in self._to_empty:
            with psycopg.connect(owner_uri(self._settings, database)) as conn:
                # The roles stay, since they own nothing any more.
                roles = conn.execute(
                    """
                    select rolname from pg_roles where pg_has_role(current_user, oid, 'usage') and rolname !~ '^pg_'
                    order by rolname = current_user
                    """
                )
                for (role,) in roles.fetchall():
                    conn.execute(sql.SQL("drop owned by {} cascade").format(sql.Identifier(role)))


def _discard_home(settings: Settings) -> None:
    if settings.home.exists():
        EmbeddedPostgres(settings).stop("immediate")
        shutil.rmtree(settings.home)
