"""Creates all roles, schemas, tables, views and grants that dbt does not, and checks whether they are up to date."""

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
from yingjian.publishing import reader_views
from yingjian.settings import Settings, SetupError

BEHIND = "the tables of this warehouse are not those of this version: run `yingjian migrate`"


def migrate(settings: Settings) -> None:
    """Create all roles, schemas, tables, views and grants that dbt does not. Idempotent; one transaction under a lock.

    First, pending migrations are applied. Then the files of SQL_FOLDER run, as on every call: views, functions and grants.
    Raises SetupError if the owner may not create roles or schemas, or if an applied migration's text has changed.
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
            grants.apply(conn)  # A role needs CREATE on a schema before it can own an object in it.
            run_file(conn, owners)
            reader_views.protect_published(conn)
            grants.apply(conn)
        except psycopg.errors.InsufficientPrivilege as error:
            raise SetupError(
                f"the owner of the warehouse lacks a right ({error.diag.message_primary}): {server.BOOTSTRAP}"
            ) from None
        settle(conn, settings)
        _note_definition(conn, new_roles)
        audit_trail.keep_definition(conn, settings.audit_definition)


def is_migrated(conn: psycopg.Connection) -> bool:
    """Return whether this version's `migrate` has run; the connection must be the owner's."""
    try:
        with conn.transaction():
            row = conn.execute(
                "select exists (select from access.definition where digest = %s)", (_definition(),)
            ).fetchone()
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        return False
    return row == (True,)


def require_migrated(conn: psycopg.Connection) -> None:
    """Raise SetupError if the database is not migrated to this version. Nothing is changed."""
    if not is_migrated(conn):
        raise SetupError(BEHIND)


def _definition() -> str:
    """Return the SHA-256 of everything that `migrate` creates, except what it reads in the YAML of marts.

    Every publication makes the policies and views of the marts again.
    """
    files = [
        *sorted(SQL_FOLDER.glob("*.sql")),
        *sorted(MIGRATIONS.glob("*.sql")),
        Path(grants.__file__),
        Path(protection.__file__),
        Path(reader_views.__file__),
        access.TABLE,
    ]
    return hashlib.sha256(staging_ddl().encode() + b"".join(path.read_bytes() for path in files)).hexdigest()


def _note_definition(conn: psycopg.Connection, new_roles: list[str]) -> None:
    """Record an audit event if a migration changed tables, views, roles or grants."""
    digest = _definition()
    inserted = conn.execute("insert into access.definition (digest) values (%s) on conflict do nothing", (digest,))
    if inserted.rowcount:
        audit_trail.record(
            conn, getpass.getuser(), "role_change", "roles and grants", None, digest=digest, made=new_roles
        )
