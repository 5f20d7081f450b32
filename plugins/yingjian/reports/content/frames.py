"""This module reads queries as pandas frames, and makes the tables of the report from them."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pandas
import psycopg
from pandas import DataFrame, Series
from psycopg.rows import tuple_row

from yingjian.reports.content import text
from yingjian.reports.content.document import Cell, Column, Row, Table

# A report makes thousands of frames of a few rows, for which Arrow's arrays of text cost twice as much as Python's.
pandas.set_option("mode.string_storage", "python")

LISTED = 30  # rows of a table on the page; one more row adds up the others
NAMED = 3  # how many places a sentence names
BLANK = "（未填）"


def read_frame(conn: psycopg.Connection[Any], query: str, **params: Any) -> DataFrame:
    """Return the rows of a query; whole numbers without gaps are int64, text is str, days stay `date`."""
    with conn.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(query.encode(), {"blank": BLANK} | params)
        names = [column.name for column in cursor.description or ()]
        return DataFrame(cursor.fetchall(), columns=names, dtype=object).infer_objects()


def table(
    title: str,
    columns: Sequence[Column],
    frame: DataFrame,
    *,
    limit: int = LISTED,
    unit: str = "行",
    is_shown: Series[bool] | None = None,
    hidden: str = "",
    has_total: bool = False,
    **more: Any,
) -> Table:
    """Return a table of a frame's rows, in its order.

    unit: what a row is, for the row that adds up those beyond `limit`. is_shown: rows that the page lists at all; the
    others are added up under the name `hidden`, such as 无逾期的 3 个. has_total: whether a last row adds up all.
    """
    shown, clear = (frame, frame[:0]) if is_shown is None else (frame[is_shown], frame[~is_shown])
    others = shown[limit:]
    rest = [_sum(others, columns, f"其余 {text.number(len(others))} {unit}")] if len(others) else []
    rest += [_sum(clear, columns, f"{hidden} {text.number(len(clear))} {unit}")] if len(clear) else []
    return Table(
        title,
        columns,
        _cells(shown[:limit], columns),
        rest,
        _cells(frame, columns) if rest else (),
        _sum(frame, columns, "合计") if has_total else None,
        **more,
    )


def rows(frame: DataFrame) -> list[Any]:
    """Return the rows, each with its columns as attributes; what is missing is None."""
    names, cells = list(frame.columns), zip(*(_values(frame[name]) for name in frame.columns), strict=True)
    return [SimpleNamespace(**dict(zip(names, row, strict=True))) for row in cells]


def total(frame: DataFrame, column: str) -> int:
    return int(frame[column].sum())


def most(frame: DataFrame, count: str, place: str = "community", unit: str = "") -> str:
    """Return the places of the first rows with their counts, such as 甲社区 3、乙社区 2."""
    first = frame[frame[count] > 0][:NAMED]
    return "、".join(f"{name} {text.number(int(value))}{unit}" for name, value in zip(first[place], first[count], strict=True))  # fmt: skip


def some(names: Sequence[str], ending: str = " 等") -> str:
    """Return the first names; `ending` says that there are more."""
    return "、".join(names[:NAMED]) + (ending if len(names) > NAMED else "")


def by(frame: DataFrame, *names: str) -> DataFrame:
    """Return the sums of every number, one row for each combination of names, in their order."""
    numbers = frame.columns if frame.empty else frame.select_dtypes("number").columns
    return frame.groupby(list(names), as_index=False, dropna=False)[list(numbers.difference(names))].sum()


def _cells(frame: DataFrame, columns: Sequence[Column]) -> list[Row]:
    """Return the values of the columns, row by row."""
    return list(zip(*(_column(frame, column) for column in columns), strict=True)) if len(frame) else []


def _column(frame: DataFrame, column: Column) -> list[Cell]:
    values = _values(frame[column.of])
    if column.kind == "share":
        wholes = _values(frame[column.whole]) if column.whole else [1] * len(values)
        return [text.share(part, whole) for part, whole in zip(values, wholes, strict=True)]
    if column.kind in ("count", "change"):
        return [None if value is None else int(value) for value in values]
    return values


def _values(series: Series[Any]) -> list[Any]:
    """Return the values; what is missing, which is not equal to itself, is None."""
    return [None if value is None or value != value else value for value in series.tolist()]  # noqa: PLR0124


def _sum(frame: DataFrame, columns: Sequence[Column], name: str) -> Row:
    """Return the row that adds up others; only counts, their changes and shares with a whole have a sum."""
    return [name, *(_added(frame, column) for column in columns[1:])]


def _added(frame: DataFrame, column: Column) -> Cell:
    if column.kind == "share" and column.whole:
        return text.share(frame[column.of].sum(), frame[column.whole].sum())
    if column.kind not in ("count", "change") or not column.adds or frame[column.of].isna().all():
        return None
    return int(frame[column.of].sum())
