"""This module writes a home and its databases as one encrypted file, and restores it whole or not at all.

The file is in the age format (age-encryption.org), so that it can be opened without this program. It contains a tar
archive: the manifest, the home's secrets, the logins of readers, the two databases as pg_dump writes them, the home's other
files, and last an HMAC of all that. The archive is written and read in pieces: memory does not grow with its size, and no
part of it ever stands on a disk in the clear.

Anybody who knows the public key can encrypt for it. So restoring first asks, of a copy that nobody else can exchange, whether
the HMAC is one of the office's own key; nothing of the file runs before, and nothing of it runs as a superuser at all.
"""

from __future__ import annotations

import getpass
import hashlib
import hmac
import io
import json
import os
import re
import secrets
import shutil
import subprocess
import tarfile
import tempfile
import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

import psycopg
import pyrage
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from yingjian.database import locks, roles, warehouse
from yingjian.database.embedded import EmbeddedPostgres, binaries
from yingjian.names import LOGIN
from yingjian.operations import migration
from yingjian.privacy import audit_trail
from yingjian.settings import Settings, SetupError

FORMAT = 2
DATABASES = ("yingjian", "airflow")
# Every run makes these anew: the server's own files, Airflow's logs, dbt's artifacts, the pages of Great Expectations, and
# what Spark reads.
NOT_KEPT = frozenset({"postgres", "airflow", "dbt", "data_docs", "scratch", "spark", "audit_definition", "run.lock"})
# dbt builds these from staging and the policy; a run at work must not wait for the backup, nor the backup for it.
REBUILT_SCHEMAS = ("build", "intermediate", "spark", "staging_latest")
PART_BYTES = 8 << 20
_SECRET, _PUBLIC, _MAC = "AGE-SECRET-KEY-", "age1", "YINGJIAN-MAC-"
# A reader's login may be a member of these, and is named so: nothing else of a role is taken from a backup.
_GROUPS = ("bi_reader", "case_worker", "community_reader", "department_reader")
_DUMP = ("--format=custom", "--compress=1")
MAKE_KEY = "`yingjian backup-key` makes one; keep it where the home is not, since without it no backup can be read"


@dataclass(frozen=True)
class Manifest:
    """The manifest says what is in a backup.

    `tables` maps database -> schema.table -> rows, `publication` is the current one, `person_key` is the secret's
    fingerprint.
    """

    format: int
    code_version: str
    person_key: str
    publication: int | None
    tables: dict[str, dict[str, int]] = field(repr=False)

    @property
    def rows(self) -> int:
        return sum(sum(tables.values()) for tables in self.tables.values())


def make_key() -> str:
    """Return a new key as a file's text, for restoring; a comment has what the server needs for backups.

    The server encrypts with the public key, which cannot read a backup, and signs with the other one.
    """
    identity = pyrage.x25519.Identity.generate()
    mac = f"{_MAC}{secrets.token_urlsafe(32)}"
    return f"# for backups: {identity.to_public()},{mac}\n{mac}\n{identity}\n"


def backup(settings: Settings, out: Path, key: str | None) -> Manifest:
    """Write the home and its databases, each as it is at one moment, to `out`, which only the secret key opens.

    key: the key's text or a file with it; what the comment of a key file gives is enough. Raises SetupError, and then
    leaves no file.
    """
    recipients, mac = _recipients(key), _mac(key)
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
            with closing(content.members()) as members:  # An error must not leave their locks behind.
                pyrage.encrypt_io(_Pulled(_tar(members, mac)), file, recipients)
            file.flush()
            os.fsync(file.fileno())
            os.link(file.name, out)
        except (pyrage.EncryptError, OSError) as error:
            raise _explained(content.failure or error, f"the backup could not be written to {out}") from None
        finally:
            os.unlink(file.name)
    with warehouse.connect(settings) as conn:
        conn.execute("insert into operations.backup (size_bytes) values (%s)", (out.stat().st_size,))
    assert content.manifest is not None
    return content.manifest


def restore(file: Path, home: Path, key: str | None) -> Manifest:
    """Make `home` from a backup: all of it, checked, or nothing.

    If YINGJIAN_WAREHOUSE is set, the databases go to that server, where both must be empty. Raises SetupError.
    """
    identities, mac = _identities(key), _mac(key)
    if not file.is_file():
        raise FileNotFoundError(f"{file} is not a file: give a backup")
    home = home.absolute()
    if home.exists() and (not home.is_dir() or any(home.iterdir())):
        raise SetupError(f"{home} is not empty: a backup is restored into an empty home, choose another one")
    making = home.with_name(f"{home.name}.restoring")
    settings = Settings.load({**os.environ, "YINGJIAN_HOME": str(making)})
    _discard_home(settings)  # A restore that was killed may have left this folder.
    target = _Target(settings)
    own_copy = making / ".backup"
    try:
        making.mkdir(parents=True, mode=0o700)
        shutil.copyfile(file, own_copy)
        _require_own(own_copy, file, identities, mac)
        with _decrypted(own_copy, identities) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
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
            raise _explained(error, f"{file} could not be restored") from None
        raise
    return manifest


# The functions below read keys.


def _lines(key: str | None) -> list[str]:
    if not key:
        raise SetupError(f"YINGJIAN_BACKUP_KEY is not set: {MAKE_KEY}")
    text = key
    if _SECRET not in key and _MAC not in key and not key.startswith(_PUBLIC):
        try:
            text = Path(key).read_text()
        except (OSError, ValueError):
            raise SetupError(f"YINGJIAN_BACKUP_KEY is neither a key nor a file with one: {MAKE_KEY}") from None
    return [line for line in re.split(r"[\s,]+", re.sub(r"#.*", "", text)) if line]


def _recipients(key: str | None) -> list[pyrage.x25519.Recipient]:
    try:
        return [
            pyrage.x25519.Identity.from_str(line).to_public()
            if line.startswith(_SECRET)
            else pyrage.x25519.Recipient.from_str(line)
            for line in _lines(key)
            if not line.startswith(_MAC)
        ] or _lines(None)
    except (pyrage.IdentityError, pyrage.RecipientError):
        raise SetupError(f"YINGJIAN_BACKUP_KEY holds no valid key: {MAKE_KEY}") from None


def _identities(key: str | None) -> list[pyrage.x25519.Identity]:
    lines = [line for line in _lines(key) if line.startswith(_SECRET)]
    if not lines:
        raise SetupError("YINGJIAN_BACKUP_KEY holds the public key: restoring needs the secret one (AGE-SECRET-KEY-…)")
    try:
        return [pyrage.x25519.Identity.from_str(line) for line in lines]
    except pyrage.IdentityError:
        raise SetupError(f"YINGJIAN_BACKUP_KEY holds no valid key: {MAKE_KEY}") from None


def _mac(key: str | None) -> bytes:
    """Return the secret that tells the office's own backups from those of others."""
    found = [line for line in _lines(key) if line.startswith(_MAC)]
    if not found:
        raise SetupError(
            f"YINGJIAN_BACKUP_KEY has no {_MAC}…, by which a backup is known as your own: `yingjian backup-key` makes a key"
            " that has one"
        )
    return found[0].encode()


def _new_mac(mac: bytes) -> hmac.HMAC:
    return hmac.new(mac, b"yingjian backup %d\0" % FORMAT, hashlib.sha256)


def _fingerprint(settings: Settings) -> str:
    """Return the fingerprint by which a restored home knows that it makes the same person keys."""
    return hashlib.sha256(b"yingjian.operations.backup:" + settings.person_secret).hexdigest()[:16]


# The functions below write a backup.


class _Content:
    """This class yields a home's members in the order in which restoring needs them.

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
                    FORMAT, self._settings.code_version, _fingerprint(self._settings), publication, tables
                )
                yield _small("manifest.json", json.dumps(asdict(self.manifest)).encode())
                yield from _files(self._settings.home, ["secrets"])
                yield _small("logins.json", json.dumps(_logins(self._settings)).encode())
                for database, (snapshot, _) in snapshots.items():
                    options = [f"--exclude-schema={schema}" for schema in REBUILT_SCHEMAS]
                    dump = _output(
                        "pg_dump", _uri(self._settings, database), *_DUMP,
                        f"--snapshot={snapshot}", *(options if database == DATABASES[0] else ()),
                    )  # fmt: skip
                    for number, part in enumerate(dump):
                        yield _small(f"database/{database}/{number:06}", part)
            # The files come after the databases: every report of a publication in the backup exists by now.
            names = {path.name for path in self._settings.home.iterdir()} - NOT_KEPT - {"secrets"}
            yield from _files(self._settings.home, sorted(names))
        except BaseException as error:
            self.failure = error
            raise


def _logins(settings: Settings) -> dict[str, list[str]]:
    """Return the logins of readers with the groups that each is a member of; their passwords are not kept."""
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
                (list(_GROUPS),),
            ).fetchall()
        )


@contextmanager
def _snapshots(settings: Settings) -> Iterator[tuple[int | None, dict[str, tuple[str, dict[str, int]]]]]:
    """Hold both databases still: (current publication, database -> (snapshot, rows of each table)).

    Publishing and pruning wait meanwhile. Otherwise a dropped or altered table would stop the dump, or its change would
    wait for the dump and readers would wait behind.
    """
    warehouse_uri, airflow_uri = (_uri(settings, database) for database in DATABASES)
    with psycopg.connect(warehouse_uri) as one, psycopg.connect(airflow_uri) as other:
        one.execute("select pg_advisory_lock(hashtext(%s))", (locks.PUBLISHING,))
        one.commit()
        snapshots = {}
        for database, conn in zip(DATABASES, (one, other), strict=True):
            conn.execute("set transaction isolation level repeatable read")
            row = conn.execute("select pg_export_snapshot()").fetchone()
            snapshots[database] = (str(row[0] if row else ""), _counts(conn))
        current = one.execute("select publication_id from published.current").fetchone()
        yield (int(current[0]) if current else None), snapshots


def _counts(conn: psycopg.Connection[Any]) -> dict[str, int]:
    tables = conn.execute(
        """
        select nspname, relname from pg_class inner join pg_namespace on pg_namespace.oid = relnamespace
        where relkind = 'r' and nspname !~ '^pg_' and not nspname = any(%s) order by 1, 2
        """,
        (["information_schema", *REBUILT_SCHEMAS],),
    ).fetchall()
    counts = {}
    for schema, table in tables:
        row = conn.execute(sql.SQL("select count(*) from {}").format(sql.Identifier(schema, table))).fetchone()
        counts[f"{schema}.{table}"] = int(row[0]) if row else 0
    return counts


def _small(name: str, content: bytes) -> tuple[tarfile.TarInfo, Iterable[bytes]]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    return info, [content]


def _files(home: Path, names: Iterable[str]) -> Iterator[tuple[tarfile.TarInfo, Iterable[bytes]]]:
    """Yield the folders and regular files under these names of the home, with mode and time."""
    ahead = [home / name for name in reversed(list(names))]
    while ahead:
        path = ahead.pop()
        try:
            status = path.lstat()
            is_folder, is_file = path.is_dir() and not path.is_symlink(), path.is_file() and not path.is_symlink()
            if is_folder:
                ahead += sorted(path.iterdir(), reverse=True)
        except FileNotFoundError:
            continue  # The file has gone since its folder was read.
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


def _tar(members: Iterable[tuple[tarfile.TarInfo, Iterable[bytes]]], mac: bytes) -> Iterator[bytes]:
    code = _new_mac(mac)
    for info, blocks in members:
        header, padding = (
            info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"),
            b"\0" * (-info.size % tarfile.BLOCKSIZE),
        )
        for block in chain([header], blocks, [padding]):
            code.update(block)
            yield block
    yield _end(code)


def _end(code: hmac.HMAC) -> bytes:
    """Return the last bytes of an archive: the HMAC of all before as a member, and the marks of the end."""
    info, (content,) = _small("hmac", code.digest())
    member = info.tobuf(tarfile.USTAR_FORMAT, "utf-8", "surrogateescape") + content
    return member + b"\0" * (-info.size % tarfile.BLOCKSIZE + 2 * tarfile.BLOCKSIZE)


END_BYTES = 4 * tarfile.BLOCKSIZE


class _Pulled(io.RawIOBase):
    """This is a file to read from; its content comes from blocks."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._left = memoryview(block)
        length = min(len(buffer), len(self._left))
        buffer[:length] = self._left[:length]
        self._left = self._left[length:]
        return length


# The functions below read a backup.


class _Checked(io.RawIOBase):
    """This is a file to write to. It keeps the HMAC of all but the last bytes, and these."""

    def __init__(self, mac: bytes) -> None:
        self.code = _new_mac(mac)
        self.end = b""

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        held = self.end + bytes(content)
        self.code.update(held[:-END_BYTES])
        self.end = held[-END_BYTES:]
        return len(content)


def _require_own(copy: Path, file: Path, identities: list[pyrage.x25519.Identity], mac: bytes) -> None:
    """Raise SetupError unless the key opens the copy of a file, all of it is as it was written, and the office wrote it."""
    content = _Checked(mac)
    try:
        with copy.open("rb") as source:
            pyrage.decrypt_io(source, content, identities)
    except (pyrage.DecryptError, OSError) as error:
        if "No matching keys" in str(error):
            raise SetupError(f"{file} was not made for this key: nothing was restored") from None
        raise SetupError(f"{file} is damaged, cut off or no backup: nothing was restored") from None
    if not hmac.compare_digest(content.end, _end(content.code)):
        raise SetupError(
            f"{file} was not written by who has this {_MAC}…, or by another version of this program: nothing was restored"
        )


@contextmanager
def _decrypted(file: Path, identities: list[pyrage.x25519.Identity]) -> Iterator[IO[bytes]]:
    """Open the content of a backup that is whole, as a file to read from."""
    reading, writing = os.pipe()

    def decrypt() -> None:
        # An error here (the reader stopped, or the file has gone) ends the stream. tarfile then says that it ends too
        # early.
        with suppress(pyrage.DecryptError, OSError), file.open("rb") as source, open(writing, "wb") as sink:
            pyrage.decrypt_io(source, sink, identities)

    thread = threading.Thread(target=decrypt)
    thread.start()
    try:
        with open(reading, "rb") as stream:
            yield stream
    finally:
        thread.join()


class _Target:
    """This class restores a backup, member by member."""

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
        if _fingerprint(self._settings) != self._manifest.person_key:
            raise SetupError(
                "YINGJIAN_PERSON_KEY is not the one that the backup was made with: set it to that one, or persons would"
                " get other keys"
            )
        warehouse.ensure_running(self._settings)
        uri = _restoring_uri(self._settings, database)
        if not _is_own(self._settings, database):
            with psycopg.connect(uri) as conn:
                if _counts(conn):
                    raise SetupError(
                        f"the database {database} of YINGJIAN_WAREHOUSE is not empty: empty it, or give another"
                    )
            self._to_empty.append(database)
        if database == DATABASES[0]:
            # The dump names roles; those here have no passwords yet.
            with warehouse.connect(self._settings) as conn:
                roles.make_roles(conn, self._settings)
                roles.set_passwords(conn, self._settings, warehouse.ROLES)
                if self._settings.warehouse is None:
                    self._make_logins(conn)
        self._database = database
        self._errors.truncate(0)
        self._restoring = _start(
            # Owners and rights are not the file's: the migration gives them.
            "pg_restore", uri, "--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges",
            stdin=subprocess.PIPE, errors=self._errors,
        )  # fmt: skip

    def _make_logins(self, conn: psycopg.Connection[Any]) -> None:
        """Make the logins of readers, without passwords, as members of the groups of readers only."""
        taken = {name for (name,) in conn.execute("select rolname from pg_roles").fetchall()}
        for login, groups in self._logins.items():
            if not LOGIN.fullmatch(login) or login in taken or not set(groups) <= set(_GROUPS):
                raise SetupError("the backup has a login that is none of a reader: it was not written by this program")
            conn.execute(sql.SQL("create role {} login").format(sql.Identifier(login)))
            conn.execute(sql.SQL("alter role {} set search_path to reporting, pg_temp").format(sql.Identifier(login)))
            for group in groups:
                conn.execute(sql.SQL("grant {} to {}").format(sql.Identifier(group), sql.Identifier(login)))

    def finish(self) -> None:
        """Wait for the database that is being restored."""
        process, self._restoring = self._restoring, None
        if process:
            try:
                process.communicate()
            except BrokenPipeError:
                process.wait()
            _require_success("pg_restore", process, self._errors)

    def verify(self) -> Manifest:
        """Check that every row that was counted exists, and that the audit trail is unbroken.

        Record the restoring in the trail.
        """
        manifest = self._manifest
        if manifest is None or self._database != DATABASES[-1]:
            raise SetupError("the backup has not all of its parts")
        for database in DATABASES:
            with psycopg.connect(_restoring_uri(self._settings, database), autocommit=True) as conn:
                if _counts(conn) != manifest.tables[database]:
                    raise SetupError(f"the rows of {database} are not those of the backup: nothing was restored")
                conn.execute("analyze")
        migration.migrate(self._settings)  # A dump has no rights on the database itself.
        with warehouse.connect(self._settings) as conn:
            verdict = audit_trail.verify(conn, self._settings.home / "audit_end.json")
            if verdict.broken is not None:
                raise SetupError(f"the backup's audit trail is broken at event {verdict.broken}: {verdict.reason}")
            audit_trail.record(conn, getpass.getuser(), "restore", "home", None)
        return manifest

    def undo(self) -> None:
        """Leave nothing behind, on a server outside the home either."""
        if self._restoring:
            self._restoring.kill()
            self._restoring.wait()
        for database in self._to_empty:
            with psycopg.connect(_restoring_uri(self._settings, database)) as conn:
                # The roles themselves stay: they own nothing.
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


# The functions below start PostgreSQL's own programs.


def _uri(settings: Settings, database: str) -> str:
    """Return the URI of a role that may read everything: the superuser of a home's own server, else the owner."""
    if _is_own(settings, database):
        return EmbeddedPostgres(settings).uri("postgres", database)
    return _restoring_uri(settings, database)


def _restoring_uri(settings: Settings, database: str) -> str:
    """Return the URI of the owner of a database, who is no superuser."""
    return warehouse.airflow_uri(settings) if database == "airflow" else warehouse.uri(settings)


def _is_own(settings: Settings, database: str) -> bool:
    """Return whether a database is on the home's own server."""
    return settings.warehouse is None and not (database == "airflow" and settings.airflow_database)


def _start(program: str, uri: str, *options: str, stdin: int, errors: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start a program with its connection.

    The password is not among its arguments, which everybody on the machine can see.
    """
    parameters = conninfo_to_dict(uri)
    password = str(parameters.pop("password", ""))
    target = make_conninfo("", **cast("dict[str, Any]", parameters))
    return subprocess.Popen(
        [str(binaries() / program), f"--dbname={target}", *options],
        stdin=stdin, stdout=subprocess.PIPE if stdin == subprocess.DEVNULL else subprocess.DEVNULL, stderr=errors,
        env={"PATH": os.environ.get("PATH", ""), "PGPASSWORD": password, "LC_ALL": "C.UTF-8"},
    )  # fmt: skip


def _output(program: str, uri: str, *options: str) -> Iterator[bytes]:
    """Yield the output of a program in parts; raise SetupError when it fails."""
    with tempfile.TemporaryFile() as errors:
        process = _start(program, uri, *options, stdin=subprocess.DEVNULL, errors=errors)
        with process:  # Leaving the block closes the output and waits, also when nobody reads on.
            while part := cast("IO[bytes]", process.stdout).read(PART_BYTES):
                yield part
        _require_success(program, process, errors)


def _require_success(program: str, process: subprocess.Popen[bytes], errors: IO[bytes]) -> None:
    """Raise SetupError when a program failed.

    Its messages may quote a row, so the error only has PostgreSQL's sentence up to its first quoted word.
    """
    if process.returncode:
        errors.seek(0)
        message = re.search(r"(?:ERROR|FATAL|error):\s*([^\n\":]*)", errors.read().decode(errors="replace"))
        raise SetupError(f"{program} failed: {message[1].strip() if message else f'exit code {process.returncode}'}")


def _explained(error: BaseException, what: str) -> SetupError:
    if isinstance(error, SetupError):
        return error
    reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
    return SetupError(f"{what} ({reason}): nothing was kept")
