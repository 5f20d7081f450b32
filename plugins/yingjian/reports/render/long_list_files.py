"""This module writes one long list as a CSV and a Parquet file.

Polars starts threads when it is imported, and processes are forked while packs are written; so `long_lists` imports this module
only if a list is long.
"""

from __future__ import annotations

import csv
import itertools
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
from psycopg import sql

from yingjian.reports.content.lists import FETCHED, PersonList, columns, list_query
from yingjian.reports.render.atomic_file import write_whole
from yingjian.reports.render.long_lists import harmless

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


def schema_of(
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


def write(rows: Iterator[tuple[Any, ...]], schema: dict[str, Any], csv_path: Path, parquet_path: Path) -> int:
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
