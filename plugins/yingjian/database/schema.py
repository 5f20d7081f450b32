"""This module creates the tables that dbt does not build. Migrations run once; the other SQL files run each time."""

from __future__ import annotations

import hashlib
from pathlib import Path

import psycopg

from yingjian.settings import SetupError

SQL_FOLDER = Path(__file__).parent / "sql"
MIGRATIONS = Path(__file__).parent / "migrations"


def apply_migrations(conn: psycopg.Connection, folder: Path) -> list[str]:
    """Apply the pending migrations of a folder (files `NNNN_name.sql`) in order; return their names.

    An applied migration is immutable: further changes need a new one. Raises SetupError when the file of an applied
    migration was edited.
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
            run_file(conn, path)
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


def run_file(conn: psycopg.Connection, path: Path) -> None:
    """Run a file of SQL statements."""
    conn.execute(path.read_text(encoding="utf-8"))  # type: ignore[arg-type]
