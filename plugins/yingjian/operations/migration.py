"""Making every role, schema, table, view and grant that is not dbt's, and asking whether that was done."""

from __future__ import annotations

import getpass
import hashlib
from pathlib import Path

import psycopg

from yingjian.database import server
from yingjian.database.roles import make_roles
from yingjian.database.schema import MIGRATIONS, SQL_FOLDER, apply_migrations, run_file
from yingjian.database.warehouse import connect
from yingjian.landing.store import staging_ddl
from yingjian.privacy import protection
from yingjian.privacy.audit_trail import record
from yingjian.privacy.rotation import settle
from yingjian.publishing.publish import protect_published
from yingjian.settings import Settings, SetupError

BEHIND = "the tables of this warehouse are not those of this version: run `yingjian migrate`"


def migrate(settings: Settings) -> None:
    """Make every role, schema, table, view and grant that is not dbt's. Idempotent; one transaction under a lock.

    First the tables, by the migrations that this database has not seen; then, each time, the files of SQL_FOLDER: views,
    functions and grants. Raises SetupError when the owner may not make roles or schemas, or when a migration that was
    applied here is another one now.
    """
    with connect(settings) as conn:
        conn.execute("select pg_advisory_xact_lock(hashtext('yingjian.migrate'))")
        made = make_roles(conn, settings)
        try:
            conn.execute(staging_ddl())  # type: ignore[arg-type]
            apply_migrations(conn, MIGRATIONS)
            for path in sorted(SQL_FOLDER.glob("*.sql"))[1:]:
                run_file(conn, path)
            protect_published(conn)
        except psycopg.errors.InsufficientPrivilege as error:
            raise SetupError(
                f"the owner of the warehouse lacks a right ({error.diag.message_primary}): {server.BOOTSTRAP}"
            ) from None
        settle(conn, settings)
        _note_definition(conn, made)


def is_migrated(conn: psycopg.Connection) -> bool:
    """Whether `migrate` of this version of the program has been here; on the owner's connection."""
    try:
        with conn.transaction():
            row = conn.execute(
                "select exists (select from access.definition where digest = %s)", (_definition(),)
            ).fetchone()
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        return False
    return row == (True,)


def require_migrated(conn: psycopg.Connection) -> None:
    """Raises SetupError where the database has not what this version of the program needs: reading changes nothing."""
    if not is_migrated(conn):
        raise SetupError(BEHIND)


def _definition() -> str:
    """SHA-256 over all that `migrate` makes."""
    files = [
        *sorted(SQL_FOLDER.glob("*.sql")),
        *sorted(MIGRATIONS.glob("*.sql")),
        Path(protection.__file__),
    ]
    return hashlib.sha256(staging_ddl().encode() + b"".join(path.read_bytes() for path in files)).hexdigest()


def _note_definition(conn: psycopg.Connection, made: list[str]) -> None:
    """An event in the trail when a migration brought other tables, roles or grants than were there."""
    digest = _definition()
    known = conn.execute("insert into access.definition (digest) values (%s) on conflict do nothing", (digest,))
    if known.rowcount:
        record(conn, getpass.getuser(), "role_change", "roles and grants", None, digest=digest, made=made)
