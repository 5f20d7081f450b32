"""The databases of a backup: the roles that read them, and the PostgreSQL programs that dump and restore them."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from typing import IO, Any, cast

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from yingjian.database import warehouse
from yingjian.database.embedded import EmbeddedPostgres, binaries
from yingjian.operations.backup_archive import PART_BYTES
from yingjian.settings import Settings, SetupError

DATABASES = ("yingjian", "airflow")
# dbt rebuilds these schemas from staging and the policy. Leaving them out keeps backups and running builds from blocking each
# other.
REBUILT_SCHEMAS = ("build", "intermediate", "spark", "staging_latest")


def row_counts(conn: psycopg.Connection[Any]) -> dict[str, int]:
    """Return the row count of each table in a backup, by schema.table."""
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


def reading_uri(settings: Settings, database: str) -> str:
    """Return the URI of a role that may read everything: the superuser of an embedded server, else the owner."""
    if is_own(settings, database):
        return EmbeddedPostgres(settings).uri("postgres", database)
    return owner_uri(settings, database)


def owner_uri(settings: Settings, database: str) -> str:
    """Return the URI of a database's owner, which is not a superuser."""
    return warehouse.airflow_uri(settings) if database == "airflow" else warehouse.uri(settings)


def is_own(settings: Settings, database: str) -> bool:
    """Return whether a database is on the home's embedded server."""
    return settings.warehouse is None and not (database == "airflow" and settings.airflow_database)


def start(program: str, uri: str, *options: str, stdin: int, errors: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start a PostgreSQL program with a connection.

    The password is passed in the environment: every user of the machine can see a program's arguments.
    """
    parameters = conninfo_to_dict(uri)
    password = str(parameters.pop("password", ""))
    target = make_conninfo("", **cast("dict[str, Any]", parameters))
    return subprocess.Popen(
        [str(binaries() / program), f"--dbname={target}", *options],
        stdin=stdin, stdout=subprocess.PIPE if stdin == subprocess.DEVNULL else subprocess.DEVNULL, stderr=errors,
        env={"PATH": os.environ.get("PATH", ""), "PGPASSWORD": password, "LC_ALL": "C.UTF-8"},
    )  # fmt: skip


def output(program: str, uri: str, *options: str) -> Iterator[bytes]:
    """Yield a program's output in blocks; raise SetupError if it fails."""
    with tempfile.TemporaryFile() as errors:
        process = start(program, uri, *options, stdin=subprocess.DEVNULL, errors=errors)
        with process:  # Leaving the block closes the pipe and waits, even if the caller stops reading.
            while part := cast("IO[bytes]", process.stdout).read(PART_BYTES):
                yield part
        require_success(program, process, errors)


def require_success(program: str, process: subprocess.Popen[bytes], errors: IO[bytes]) -> None:
    """Raise SetupError if a program failed.

    Its messages may quote a row, so the error contains only PostgreSQL's sentence up to the first quote.
    """
    if process.returncode:
        errors.seek(0)
        message = re.search(r"(?:ERROR|FATAL|error):\s*([^\n\":]*)", errors.read().decode(errors="replace"))
        raise SetupError(f"{program} failed: {message[1].strip() if message else f'exit code {process.returncode}'}")
