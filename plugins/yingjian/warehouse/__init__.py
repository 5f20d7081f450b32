"""The warehouse: where it is, how to connect to it as which role, and the tables that are not dbt's."""

from __future__ import annotations

import base64
import getpass
import hashlib
import hmac
from collections.abc import Callable, Collection
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlparse

import psycopg
from psycopg import sql

from yingjian.database import server
from yingjian.database.bootstrap import AIRFLOW_ROLE, OWNER_ROLE, scram
from yingjian.settings import ROLE_PASSWORD, Settings, SetupError

SQL_FOLDER = Path(__file__).parent / "sql"
MIGRATIONS = Path(__file__).parent / "migrations"
BEHIND = "the tables of this warehouse are not those of this version: run `yingjian migrate`"
OWNER = "owner"
TLS = ("sslmode", "sslrootcert", "sslcert", "sslkey")  # What a URI may say of it, as libpq names it.

# The services and the BI tool: each logs in as itself (sql/00_roles.sql).
ROLES = ("loader", "transformer", "auditor", "publisher", "reporter", "bi_reader")


def ensure_running(settings: Settings) -> None:
    """Start the embedded server if the warehouse is embedded and does not answer; another one must answer by itself.

    Raises SetupError with a sentence that says what to do.
    """
    if settings.warehouse is None:
        from yingjian.database.embedded import EmbeddedPostgres

        EmbeddedPostgres(settings).ensure_running()
    elif urlparse(settings.warehouse).password:  # A worker need not know the owner's.
        server.require(settings.warehouse)


def uri(settings: Settings, role: str = OWNER) -> str:
    """Connection URI of a role (`owner` or one of ROLES) for psql, a BI tool or a driver.

    Raises SetupError for a role that is none, or whose password is not known here.
    """
    if role != OWNER and role not in ROLES:
        raise SetupError(f"there is no role {role} whose password is known here: one of {OWNER}, {', '.join(ROLES)}")
    if settings.warehouse is None:
        from yingjian.database.embedded import EmbeddedPostgres

        return EmbeddedPostgres(settings).uri(OWNER_ROLE if role == OWNER else role)
    return settings.warehouse if role == OWNER else _external(settings.warehouse, role, password(settings, role))


def airflow_uri(settings: Settings) -> str:
    """Connection URI of Airflow's metadata: YINGJIAN_AIRFLOW_DATABASE, else database `airflow` on the warehouse's server, as
    Airflow's own role.
    """
    if settings.airflow_database:
        return settings.airflow_database
    if settings.warehouse is None:
        from yingjian.database.embedded import EmbeddedPostgres

        return EmbeddedPostgres(settings).uri(AIRFLOW_ROLE, "airflow")
    return _external(settings.warehouse, AIRFLOW_ROLE, password(settings, AIRFLOW_ROLE), "/airflow")


def password(settings: Settings, role: str) -> str:
    """The password of a service's role: the home's secret where the server is embedded, else YINGJIAN_ROLE_PASSWORD_<ROLE>.

    Without that variable it follows from the owner's password, so that one machine needs one secret. Raises SetupError
    when neither is given.
    """
    if settings.warehouse is None:
        return settings.secret(f"role_{role}")
    if role in settings.given_role_passwords:
        return settings.given_role_passwords[role]
    owners = owner_password(settings, f"set {ROLE_PASSWORD}{role.upper()}, or ")
    digest = hmac.new(owners.encode(), f"yingjian role {role}".encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def owner_password(settings: Settings, otherwise: str = "") -> str:
    """The owner's password, as YINGJIAN_WAREHOUSE has it. Raises SetupError when it has none."""
    found = unquote(urlparse(settings.warehouse or "").password or "")
    if not found:
        raise SetupError(f"YINGJIAN_WAREHOUSE has no password: {otherwise}give the owner's in it")
    return found


def _external(owner_uri: str, role: str, password: str, path: str | None = None) -> str:
    parsed = urlparse(owner_uri)
    host = parsed.netloc.rpartition("@")[2]
    return parsed._replace(
        netloc=f"{quote(role, safe='')}:{quote(password, safe='')}@{host}", path=path or parsed.path
    ).geturl()


def dbt_environment(settings: Settings) -> dict[str, str]:
    """What dbt_project/profiles.yml reads from the environment: dbt connects as `transformer`, with the TLS of the URI."""
    parsed = urlparse(uri(settings, "transformer"))
    given = dict(parse_qsl(parsed.query))
    return {
        **{f"YINGJIAN_PG_{name.upper()}": given.get(name, "") for name in TLS},
        "YINGJIAN_PG_HOST": parsed.hostname or "127.0.0.1",
        "YINGJIAN_PG_PORT": str(parsed.port or 5432),
        "YINGJIAN_PG_USER": unquote(parsed.username or ""),
        "YINGJIAN_PG_PASSWORD": unquote(parsed.password or ""),
        "YINGJIAN_PG_DBNAME": parsed.path.lstrip("/"),
    }


def connect(settings: Settings, role: str = OWNER) -> psycopg.Connection:
    """A connection as `role`, in Asia/Shanghai; not in autocommit."""
    return psycopg.connect(uri(settings, role), options=f"-c {quote('TimeZone')}=Asia/Shanghai")


def connector(settings: Settings, role: str = OWNER) -> Callable[[], psycopg.Connection]:
    """A function that opens connections, for code that opens them when it needs them."""
    return lambda: connect(settings, role)


def migrate(settings: Settings) -> None:
    """Make every role, schema, table, view and grant that is not dbt's. Idempotent; one transaction under a lock.

    First the tables, by the migrations that this database has not seen; then, each time, the files of SQL_FOLDER: views,
    functions and grants. Raises SetupError when the owner may not make roles or schemas, or when a migration that was
    applied here is another one now.
    """
    from yingjian.landing import staging_ddl
    from yingjian.privacy.rotation import settle
    from yingjian.publishing.publish import protect_published

    with connect(settings) as conn:
        conn.execute("select pg_advisory_xact_lock(hashtext('yingjian.migrate'))")
        made = make_roles(conn, settings)
        try:
            conn.execute(staging_ddl())  # type: ignore[arg-type]
            apply_migrations(conn, MIGRATIONS)
            for path in sorted(SQL_FOLDER.glob("*.sql"))[1:]:
                _run(conn, path)
            protect_published(conn)
        except psycopg.errors.InsufficientPrivilege as error:
            raise SetupError(
                f"the owner of the warehouse lacks a right ({error.diag.message_primary}): {server.BOOTSTRAP}"
            ) from None
        settle(conn, settings)
        _note_definition(conn, made)


def apply_migrations(conn: psycopg.Connection, folder: Path) -> list[str]:
    """Run each file `NNNN_name.sql` of a folder that this database has not seen, in order; returns the names of those.

    A migration runs once and is never edited afterwards: a later one changes what it made. Raises SetupError when one was
    edited.
    """
    conn.execute(
        """
        create schema if not exists migration;
        create table if not exists migration.applied (
            number int primary key, name text not null, digest text, applied_at timestamptz not null default now()
        );
        -- Only where it is missing: altering a table waits for whoever reads it.
        do $$
        begin
            if not exists (
                select from pg_attribute where attrelid = 'migration.applied'::regclass and attname = 'digest'
            ) then
                alter table migration.applied add column digest text;
            end if;
        end
        $$;
        comment on table migration.applied is 'Which migrations this database has seen.';
        comment on column migration.applied.digest is 'SHA-256 of the file as it was applied.';
        """
    )
    applied: dict[int, str | None] = dict(conn.execute("select number, digest from migration.applied").fetchall())
    names = []
    for path in sorted(folder.glob("[0-9][0-9][0-9][0-9]_*.sql")):
        number, digest = int(path.name[:4]), hashlib.sha256(path.read_bytes()).hexdigest()
        if number not in applied:
            _run(conn, path)
            conn.execute(
                "insert into migration.applied (number, name, digest) values (%s, %s, %s)", (number, path.stem, digest)
            )
            names.append(path.stem)
        elif applied[number] not in (digest, None):
            raise SetupError(
                f"migration {path.stem} is not the one that was applied here: put the file back as it was, and write a"
                " new migration for what it should change"
            )
    return names


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


def make_roles(conn: psycopg.Connection, settings: Settings) -> list[str]:
    """Make the roles that are missing, with the passwords that this home knows; returns which log in.

    On the owner's connection. Raises SetupError when the owner may not make roles.
    """
    there = _login_roles(conn)
    try:
        _run(conn, SQL_FOLDER / "00_roles.sql")
    except psycopg.errors.InsufficientPrivilege as error:
        how = (
            "stop it with `yingjian warehouse stop`"
            if settings.warehouse is None
            else "run `yingjian warehouse bootstrap`"
        )
        raise SetupError(
            f"the owner of the warehouse may not make its roles ({error.diag.message_primary}): {how}, then run again"
        ) from None
    made = sorted(_login_roles(conn) - there)
    set_passwords(conn, settings, made)
    return made


def _definition() -> str:
    """SHA-256 over all that `migrate` makes."""
    from yingjian.landing import staging_ddl

    files = [
        *sorted(SQL_FOLDER.glob("*.sql")),
        *sorted(MIGRATIONS.glob("*.sql")),
        Path(__file__).parent.parent / "privacy" / "protection.py",
    ]
    return hashlib.sha256(staging_ddl().encode() + b"".join(path.read_bytes() for path in files)).hexdigest()


def _note_definition(conn: psycopg.Connection, made: list[str]) -> None:
    """An event in the trail when a migration brought other tables, roles or grants than were there."""
    from yingjian.privacy.audit_trail import record

    digest = _definition()
    known = conn.execute("insert into access.definition (digest) values (%s) on conflict do nothing", (digest,))
    if known.rowcount:
        record(conn, getpass.getuser(), "role_change", "roles and grants", None, digest=digest, made=made)


def set_passwords(conn: psycopg.Connection, settings: Settings, roles: Collection[str]) -> None:
    """Give roles the passwords that this home knows; on the owner's connection."""
    for role in sorted(roles):
        conn.execute(
            sql.SQL("alter role {} password {}").format(
                sql.Identifier(role), sql.Literal(scram(conn, role, password(settings, role)))
            )
        )


def _login_roles(conn: psycopg.Connection) -> set[str]:
    return {name for (name,) in conn.execute("select rolname from pg_roles where rolname = any(%s)", (list(ROLES),))}


def _run(conn: psycopg.Connection, path: Path) -> None:
    conn.execute(path.read_text(encoding="utf-8"))  # type: ignore[arg-type]
