"""This module writes lists of very many rows as files beside the workbook: CSV for spreadsheets, Parquet for analysts.

A sheet of a million rows takes minutes to write, and a phone or an office computer does not open it.
"""

from __future__ import annotations

import csv
import itertools
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
from psycopg import sql

from yingjian.reports.content.document import Document
from yingjian.reports.content.lists import FETCHED, LISTS, PersonList, columns, list_query, read_list
from yingjian.reports.render.atomic_file import write_whole

LONG = 100_000
ENDINGS = ("csv", "parquet")
# The keys are PostgreSQL's names of types; every other type is text.
TYPES: dict[str, Any] = {
    "bool": pl.Boolean,
    "int2": pl.Int64,
    "int4": pl.Int64,
    "int8": pl.Int64,
    "float8": pl.Float64,
    "date": pl.Date,
    "timestamp": pl.Datetime("us"),
    "timestamptz": pl.Datetime("us", "Asia/Shanghai"),
}
# Full-width signs begin formulas too, where a spreadsheet reads Chinese or Japanese input.
_BEGIN_FORMULAS = (*"=+-@＝＋－＠", "\t", "\r", "\n")


@dataclass(frozen=True)
class LongList:
    """This is a list in files of its own, with its number of rows and the files' names."""

    rows: int
    files: tuple[str, ...]


def is_long(conn: psycopg.Connection[Any], query: sql.Composable) -> bool:
    """Return whether a query gives more than LONG rows; no more than that are read."""
    limited = sql.SQL("select count(*) from (select 1 from ({}) as listed limit {}) as counted").format(
        query, sql.Literal(LONG + 1)
    )
    row = conn.execute(limited).fetchone()
    return bool(row and row[0] > LONG)


def harmless(value: Any) -> Any:
    """Return a value that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_BEGIN_FORMULAS) else value


def path_of(workbook: Path, mart: str, ending: str) -> Path:
    """Return the path of a mart's list beside a workbook: office.xlsx → office.due.csv."""
    return workbook.with_suffix(f".{mart}.{ending}")


def write_long_lists(conn: psycopg.Connection[Any], document: Document, workbook: Path) -> dict[str, LongList]:
    """Write each list of more than LONG rows beside the workbook; return them by mart. The caller is inside `narrowed`.

    Both files have the columns of the sheet that they replace, in its order. The CSV file begins with a UTF-8 byte order mark,
    and its cells are never formulas. Memory does not grow with the lists.
    """
    publication_id, sees_names = document.publication.publication_id, document.audience.sees_names
    written = {}
    for person_list in LISTS:
        if person_list.mart in document.hidden:
            continue
        if not is_long(conn, sql.SQL(person_list.unordered).format(id=sql.Literal(publication_id))):  # type: ignore[arg-type]
            continue
        schema = _schema(conn, publication_id, person_list, sees_names)
        rows = read_list(conn, publication_id, person_list, sees_names)
        paths = [path_of(workbook, person_list.mart, ending) for ending in ENDINGS]
        written[person_list.mart] = LongList(_write(rows, schema, *paths), tuple(path.name for path in paths))
    return written


def _schema(
    conn: psycopg.Connection[Any], publication_id: int, person_list: PersonList, sees_names: bool
) -> dict[str, Any]:
    """Return the columns of a list with their polars types."""
    query = sql.SQL("select * from ({}) as listed limit 0").format(list_query(publication_id, person_list, sees_names))
    described = conn.execute(query).description or []
    names = columns(person_list, sees_names)
    # The query has the place in the list after the identity, and the person key last.
    kinds = [*described[:3], *described[4:-1]] if sees_names else described[:-1]
    types = [conn.adapters.types.get(column.type_code) for column in kinds]
    return {
        name: TYPES.get(kind.name if kind else "", pl.String) for name, kind in zip(names, types, strict=True)
    }  # fmt: skip


def _write(rows: Iterator[tuple[Any, ...]], schema: dict[str, Any], csv_path: Path, parquet_path: Path) -> int:
    """Write rows to both files in one pass; return their number."""
    total = 0

    def both(unfinished_csv: Path, unfinished_parquet: Path) -> None:
        nonlocal total
        with (
            unfinished_csv.open("w", encoding="utf-8-sig", newline="") as file,
            tempfile.TemporaryDirectory(prefix="yingjian-") as folder,
        ):
            writer = csv.writer(file)
            writer.writerow(schema)
            while part := list(itertools.islice(rows, FETCHED * 10)):
                writer.writerows([harmless(value) for value in row] for row in part)
                pl.DataFrame(part, schema=schema, orient="row").write_parquet(f"{folder}/{total:012d}.parquet")
                total += len(part)
            pl.scan_parquet(f"{folder}/*.parquet").sink_parquet(unfinished_parquet)

    write_whole(csv_path, lambda one: write_whole(parquet_path, partial(both, one)))
    return total
