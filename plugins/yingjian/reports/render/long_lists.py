"""This module writes lists of very many rows as files beside the workbook: CSV for spreadsheets, Parquet for analysts.

A sheet of a million rows takes minutes to write, and a phone or an office computer does not open it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from yingjian.reports.content.document import Document
from yingjian.reports.content.lists import LISTS, read_list

LONG = 100_000
ENDINGS = ("csv", "parquet")
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
        from yingjian.reports.render import long_list_files

        schema = long_list_files.schema_of(conn, publication_id, person_list, sees_names)
        rows = read_list(conn, publication_id, person_list, sees_names)
        paths = [path_of(workbook, person_list.mart, ending) for ending in ENDINGS]
        written[person_list.mart] = LongList(
            long_list_files.write(rows, schema, *paths), tuple(path.name for path in paths)
        )
    return written
