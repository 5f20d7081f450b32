"""This module makes every role, schema, table, view and grant that is not dbt's, and checks whether that was done."""

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
from yingjian.privacy import access, audit_trail, grants, protection
from yingjian.privacy.rotation import settle
from yingjian.publishing.reader_views import protect_published
from yingjian.settings import Settings, SetupError

BEHIND = "the tables of this warehouse are not those of this version: run `yingjian migrate`"


def migrate(settings: Settings) -> None:
    """Make every role, schema, table, view and grant that is not dbt's. Idempotent; one transaction under a lock.

    The tables come first, by the migrations that this database has not seen. Then the files of SQL_FOLDER run, as they
    do each time: views, functions and grants. Raises SetupError when the owner may not make roles or schemas, or when
    the text of an applied migration has changed.
    """
    with connect(settings) as conn:
        conn.execute("select pg_advisory_xact_lock(hashtext('yingjian.migrate'))")
        audit_trail.record_changed_definition(conn, getpass.getuser(), settings.audit_definition)
        new_roles = make_roles(conn, settings)
        try:
            conn.execute(staging_ddl())  # type: ignore[arg-type]
            apply_migrations(conn, MIGRATIONS)
            *files, owners = sorted(SQL_FOLDER.glob("*.sql"))[1:]
            for path in files:
                run_file(conn, path)
            grants.apply(conn)  # A role must be able to make things in a schema before it can own one there.
            run_file(conn, owners)
            protect_published(conn)
            grants.apply(conn)
        except psycopg.errors.InsufficientPrivilege as error:
            raise SetupError(
                f"the owner of the warehouse lacks a right ({error.diag.message_primary}): {server.BOOTSTRAP}"
            ) from None
        settle(conn, settings)
        _note_definition(conn, new_roles)
        audit_trail.keep_definition(conn, settings.audit_definition)


def is_migrated(conn: psycopg.Connection) -> bool:
    """Return whether `migrate` of this version of the program has run; the connection is the owner's."""
    try:
        with conn.transaction():
            row = conn.execute(
                "select exists (select from access.definition where digest = %s)", (_definition(),)
            ).fetchone()
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        return False
    return row == (True,)


def require_migrated(conn: psycopg.Connection) -> None:
    """Raise SetupError when the database lacks something that this version of the program needs. This changes nothing."""
    if not is_migrated(conn):
        raise SetupError(BEHIND)


def _definition() -> str:
    """Return the SHA-256 over all that `migrate` makes."""
    files = [
        *sorted(SQL_FOLDER.glob("*.sql")),
        *sorted(MIGRATIONS.glob("*.sql")),
        Path(protection.__file__),
        access.TABLE,
    ]
    return hashlib.sha256(staging_ddl().encode() + b"".join(path.read_bytes() for path in files)).hexdigest()


def _note_definition(conn: psycopg.Connection, new_roles: list[str]) -> None:
    """Record an event in the trail when a migration changed tables, roles or grants."""
    digest = _definition()
    inserted = conn.execute("insert into access.definition (digest) values (%s) on conflict do nothing", (digest,))
    if inserted.rowcount:
        audit_trail.record(
            conn, getpass.getuser(), "role_change", "roles and grants", None, digest=digest, made=new_roles
        )
