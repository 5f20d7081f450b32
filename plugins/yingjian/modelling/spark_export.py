"""Exports dbt's sources and seeds to Parquet files in the home, which Spark reads (docs/spark.md).

A table is split into parts, one per landed file or publication. A part's file name contains the part's id and a fingerprint of
its rows, so the names alone tell which files are current: those stay, missing ones are written, all others are deleted.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import yaml
from psycopg import sql

from yingjian.database import locks, warehouse
from yingjian.modelling.dbt_project import dbt_folder
from yingjian.modelling.spark_types import SHORT_TYPES, Columns
from yingjian.settings import Settings

SCHEMA = "dev_spark"  # Spark's database for seeds and models; the warehouse has no such schema.
SEEDS = "policy"  # The warehouse schema into which dbt loads the seeds.
LOADED = "spark"  # The warehouse schema into which Spark's results are loaded.
ROWS_PER_FILE = 100_000
# Tables of these schemas are split by this column. Other tables, such as landing's records of a row or two per file, are not.
PARTS = {"staging": "file_id", "published": "publication_id"}
TYPES: dict[str, Any] = {
    "text": pl.String,
    "boolean": pl.Boolean,
    "integer": pl.Int32,
    "bigint": pl.Int64,
    "smallint": pl.Int16,
    "numeric": pl.Decimal(20, 6),
    "double precision": pl.Float64,
    "date": pl.Date,
    "timestamp": pl.Datetime("us"),
    "timestamptz": pl.Datetime("us", "UTC"),
    "text[]": pl.List(pl.String),
}


@dataclass(frozen=True)
class Source:
    """A warehouse table that models read."""

    schema: str
    name: str

    @property
    def on_spark(self) -> str:
        return f"{SCHEMA if self.schema == SEEDS else self.schema}.{self.name}"

    def folder(self, settings: Settings) -> Path:
        return sources_folder(settings) / self.schema / self.name

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.name)


@dataclass(frozen=True)
class _Table:
    """A source with its columns, the column by which it is split, and the current file names of each part."""

    source: Source
    columns: Columns
    by: str | None
    files: Mapping[int | None, list[str]]

    @property
    def names(self) -> set[str]:
        return {name for names in self.files.values() for name in names}


def sources_folder(settings: Settings) -> Path:
    return settings.spark / "sources"


def sources(settings: Settings) -> list[Source]:
    """Return every source and seed of the dbt project."""
    declared = yaml.safe_load((dbt_folder(settings) / "models" / "staging" / "_sources.yml").read_text())["sources"]
    seeds = sorted(path.stem for path in (dbt_folder(settings) / "seeds").rglob("*.csv"))
    return [
        *(Source(source["schema"], table["name"]) for source in declared for table in source["tables"]),
        *(Source(SEEDS, seed) for seed in seeds),
    ]


@contextmanager
def turn(settings: Settings) -> Iterator[psycopg.Connection[Any]]:
    """Hold the lock for exporting, building on Spark and cleaning up; wait until it is free."""
    with psycopg.connect(warehouse.uri(settings, "transformer"), autocommit=True) as conn:
        conn.execute("select pg_advisory_lock(hashtext(%s))", (locks.SPARK,))
        yield conn


def export(settings: Settings) -> dict[Source, Columns]:
    """Update the files of all sources to one snapshot of the warehouse; return the sources' columns.

    Only the owner can read the folder. The caller holds `turn`. Columns that dbt may not read, or whose type is not in TYPES,
    are left out; a model that reads one is rejected.
    """
    settings.spark.mkdir(mode=0o700, parents=True, exist_ok=True)
    with warehouse.connect(settings, "transformer") as conn:
        conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        tables = [_table(conn, source) for source in sources(settings)]
        _keep_only(settings, tables)
        for table in tables:
            _write_missing(conn, table, table.source.folder(settings))
    return {table.source: table.columns for table in tables}


def forget_stale(settings: Settings) -> None:
    """Remove files that no longer match the warehouse; remove all of them if Spark is not the engine.

    Callers that permanently delete or change personal data run it last, so that no copy remains until the next build. It waits
    for a running Spark build.
    """
    if not settings.spark.exists():
        return
    with turn(settings) as conn:
        drop_loaded(conn)
        if settings.engine != "spark":
            shutil.rmtree(settings.spark)
            return
        for path in settings.spark.iterdir():
            if path != sources_folder(settings):
                shutil.rmtree(path)
        _keep_only(settings, [_table(conn, source) for source in sources(settings)])


def drop_loaded(conn: psycopg.Connection[Any]) -> None:
    """Drop the tables into which an earlier build loaded Spark's rows."""
    names = conn.execute("select tablename from pg_tables where schemaname = %s", (LOADED,)).fetchall()
    for (name,) in names:
        conn.execute(sql.SQL("drop table if exists {}").format(sql.Identifier(LOADED, name)))


def _keep_only(settings: Settings, tables: Iterable[_Table]) -> None:
    wanted = {table.source.folder(settings) / name for table in tables for name in table.names}
    for path in sources_folder(settings).glob("*/*/*"):
        if path not in wanted:
            path.unlink()


def _table(conn: psycopg.Connection[Any], source: Source) -> _Table:
    columns = columns_of(conn, source)
    by = PARTS.get(source.schema)
    if by not in columns or _is_key(conn, source, by):
        by = None
    if not columns:  # The seed may not exist in another version of the project.
        return _Table(source, columns, by, {})
    part = sql.Identifier(by) if by else sql.SQL("null::bigint")
    query = sql.SQL("select {}, count(*), sum(hashint8extended(xmin::text::bigint, 0)) from {} group by 1").format(
        part, source.identifier
    )
    rows = conn.execute(query).fetchall()
    files = {key: _names(key, count, total, columns) for key, count, total in rows}
    return _Table(source, columns, by, files or {None: _names(None, 0, 0, columns)})


def _names(key: int | None, count: int, total: int, columns: Columns) -> list[str]:
    """Return the names of a part's files. Any insert, update or delete changes the part's row count or its sum
    of xmin hashes.
    """
    fingerprint = hashlib.sha256(f"{count} {total} {columns} {ROWS_PER_FILE}".encode()).hexdigest()[:16]
    number_of_files = max(1, -(-count // ROWS_PER_FILE))
    return [f"{'all' if key is None else key}-{fingerprint}-{number:05d}.parquet" for number in range(number_of_files)]


def columns_of(conn: psycopg.Connection[Any], source: Source) -> Columns:
    """Return the columns of a table that dbt may read and whose types are in TYPES."""
    rows = conn.execute(
        """
        select attname, format_type(atttypid, null) from pg_attribute
        where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped
        and has_column_privilege(attrelid, attnum, 'select')
        order by attnum
        """,
        [f"{source.schema}.{source.name}"],
    )
    named = {name: SHORT_TYPES.get(kind, kind) for name, kind in rows}
    return {name: kind for name, kind in named.items() if kind in TYPES}


def _is_key(conn: psycopg.Connection[Any], source: Source, column: str) -> bool:
    """Return whether a column is unique, so that every part would be a single row."""
    row = conn.execute(
        """
        select exists (
            select from pg_index inner join pg_attribute on attrelid = indrelid and attnum = indkey[0]
            where indrelid = %s::regclass and indisunique and indnkeyatts = 1 and attname = %s
        )
        """,
        (f"{source.schema}.{source.name}", column),
    ).fetchone()
    return bool(row and row[0])


def _write_missing(conn: psycopg.Connection[Any], table: _Table, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    missing = {key: names for key, names in table.files.items() if not all((folder / name).exists() for name in names)}
    if not missing:
        return
    for name in (name for names in missing.values() for name in names):
        # Rows may come in another order now, so the remaining old files of a part cannot be kept.
        (folder / name).unlink(missing_ok=True)
    schema = {name: TYPES[kind] for name, kind in table.columns.items()}
    for key, rows in _rows(conn, table, list(missing)):
        for name in missing[key]:
            chunk = [row[1:] for row in islice(rows, ROWS_PER_FILE)]
            pl.DataFrame(chunk, schema=schema, orient="row").write_parquet(folder / f".{name}")
        for name in missing[key]:  # Spark ignores files whose name starts with a dot.
            (folder / f".{name}").rename(folder / name)


def _rows(
    conn: psycopg.Connection[Any], table: _Table, keys: list[int | None]
) -> Iterator[tuple[int | None, Iterator[tuple[Any, ...]]]]:
    """Yield each part's key and rows; the first field of a row is the key. An empty table yields one empty part."""
    part = sql.Identifier(table.by) if table.by else sql.SQL("null::bigint")
    query = sql.SQL("select {}, {} from {} where {} order by 1").format(
        part,
        sql.SQL(", ").join(map(sql.Identifier, table.columns)),
        table.source.identifier,
        sql.SQL(" or ").join(
            [*([sql.SQL("{} is null").format(part)] if None in keys else []), sql.SQL("{} = any(%s)").format(part)]
        ),
    )
    yielded = False
    with conn.cursor(name="exported") as cursor:
        cursor.itersize = ROWS_PER_FILE
        cursor.execute(query, ([key for key in keys if key is not None],))
        for key, rows in groupby(cursor, key=itemgetter(0)):
            yielded = True
            yield key, rows
    if not yielded:
        yield None, iter(())
