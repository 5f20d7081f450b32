"""This module is the analysts' API: it returns marts of the schema `reporting` as pandas frames.

    from yingjian import marts
    overdue = marts.read("overdue", community="招丰社区")
    trend = marts.indicators(["overdue", "compliance"], by="community", since=date(2022, 7, 1))
    marts.titled(overdue)  # Chinese titles instead of names and codes

Without `url` it reads as bi_reader in the home that the settings name. `url` is the URI of a reader's own login
(`yingjian access grant`): then the rows are the reader's part of the town. docs/bi.md says what the marts hold.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import date as Date
from typing import Any, Literal

import pandas as pd
import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from yingjian.database import warehouse
from yingjian.settings import Settings

SCHEMA = "reporting"
# Nullable integers stay integers; dates and timestamps are both numpy's, so that they can be compared.
DTYPES = {
    "date": "datetime64[s]",
    "timestamp without time zone": "datetime64[us]",
    "timestamp with time zone": "datetime64[us, Asia/Shanghai]",
    "smallint": "Int64",
    "integer": "Int64",
    "bigint": "Int64",
    "boolean": "boolean",
    "double precision": "Float64",
    "numeric": "Float64",
    "text": "string",
}
By = Literal["town", "community", "department", "community and department"]


def read(
    name: str,
    *,
    date: Date | None = None,
    since: Date | None = None,
    until: Date | None = None,
    columns: Collection[str] | None = None,
    url: str | None = None,
    **equal: object,
) -> pd.DataFrame:
    """Return the rows of a mart: of the current publication, or of the business dates that are asked for.

    `date`, or `since` and `until`, choose business dates; only a history mart has others than the current one. Every
    other keyword names a column and its value, or a list of values: `community="招丰社区"`. A value of `department` or
    `communities` matches rows whose cell lists it among others. Columns with codes are ordered categoricals.
    `attrs` has `mart`, `title`, `titles` (Chinese title by column), `codes` (title by code, by column),
    `publication_id` and `as_of_date` of the current publication.

    Raises LookupError when there is no such mart, column or publication, and ValueError when a mart without history is asked
    for another date.
    """
    with _transaction(url) as conn:
        return _read(conn, name, _Days(date, since, until), columns, equal)


def indicators(
    codes: Collection[str] | None = None,
    *,
    by: By = "town",
    date: Date | None = None,
    since: Date | None = None,
    until: Date | None = None,
    url: str | None = None,
    **equal: object,
) -> pd.DataFrame:
    """Return figures with their titles and units, by date and place: of the town, or of each place that `by` names.

    `value_shown` is what the report prints. A reader of a part of the town gets town rows only of figures open to all.
    Raises LookupError for a code that is no figure.
    """
    with _transaction(url) as conn:
        words = _read(conn, "indicator", _Days(), None, {})
        if unknown := set(codes or ()) - set(words["indicator_code"]):
            raise LookupError(f"there is no indicator {', '.join(sorted(unknown))}")
        chosen = equal | ({"indicator_code": list(codes)} if codes is not None else {})
        for place in ("community", "department"):
            chosen.setdefault(place, ... if place in by else None)
        values = _read(conn, "indicator_daily", _Days(date, since, until), None, chosen)
    described = ["indicator_code", "title", "unit", "better", "is_share", "decimals", "sort_order"]
    frame = values.merge(words[described], how="left", on="indicator_code", validate="many_to_one")
    frame = frame.sort_values(["as_of_date", "sort_order", "community", "department"], kind="stable", ignore_index=True)
    frame.attrs = values.attrs | {"titles": {**words.attrs["titles"], **values.attrs["titles"]}}
    return frame.drop(columns="sort_order")


def labels(name: str, column: str | None = None, *, url: str | None = None) -> pd.Series[Any]:
    """Return the Chinese titles of a mart's columns, or of the codes that a column holds, in their order.

    Raises LookupError when there is no such mart, or the column holds no codes.
    """
    with _transaction(url) as conn:
        titles = _titles(conn, name) if column is None else _codes(conn, name).get(column)
    if not titles:
        raise LookupError(f"{SCHEMA}.{name}.{column} holds no codes that have titles")
    return pd.Series(titles, name="title", dtype="string")


def titled(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame of `read` with Chinese titles in place of column names and codes."""
    codes = {column: titles for column, titles in frame.attrs.get("codes", {}).items() if column in frame}
    renamed = frame.assign(
        **{column: frame[column].cat.rename_categories(lambda code, titles=titles: titles.get(code, code))
           for column, titles in codes.items()}
    )  # fmt: skip
    return renamed.rename(columns=frame.attrs.get("titles", {}))


class _Days:
    """The business dates that are asked for; without any, the date of the current publication."""

    def __init__(self, date: Date | None = None, since: Date | None = None, until: Date | None = None) -> None:
        if date is not None and (since is not None or until is not None):
            raise ValueError("give either date, or since and until")
        self.first, self.last = (date, date) if date is not None else (since, until)
        self.is_current = self.first is None and self.last is None

    def have(self, day: Date) -> bool:
        return (self.first is None or self.first <= day) and (self.last is None or day <= self.last)


@contextmanager
def _transaction(url: str | None) -> Iterator[psycopg.Connection[Any]]:
    """Open one snapshot, so that rows, titles and publication match even if a new publication appears meanwhile."""
    if url is None:
        conn = warehouse.connect(Settings.load(), "bi_reader")
    else:
        conn = psycopg.connect(url, options="-c TimeZone=Asia/Shanghai")
    with conn:
        conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        conn.read_only = True
        yield conn


def _read(
    conn: psycopg.Connection[Any],
    name: str,
    days: _Days,
    columns: Collection[str] | None,
    equal: Mapping[str, object],
) -> pd.DataFrame:
    kinds = _kinds(conn, name)
    if unknown := [column for column in (*(columns or ()), *equal) if column not in kinds]:
        raise LookupError(f"{SCHEMA}.{name} has no column {', '.join(unknown)}")
    current = conn.execute("select publication_id, as_of_date from reporting.publication").fetchone()
    if current is None:
        raise LookupError("nothing is published yet")
    publication_id, as_of_date = current
    conditions: list[sql.Composable] = [_is(column, value, kinds[column]) for column, value in equal.items()]
    if "is_current" in kinds:
        conditions += [sql.SQL("is_current")] if days.is_current else []
        conditions += [sql.SQL("as_of_date >= {}").format(days.first)] if days.first is not None else []
        conditions += [sql.SQL("as_of_date <= {}").format(days.last)] if days.last is not None else []
    elif not days.have(as_of_date):
        raise ValueError(f"{SCHEMA}.{name} has no history: it shows {as_of_date} alone")
    chosen = list(columns or kinds)
    query = sql.SQL("select {} from {} where {}").format(
        sql.SQL(", ").join(map(sql.Identifier, chosen)),
        sql.Identifier(SCHEMA, name),
        sql.SQL(" and ").join(conditions or [sql.SQL("true")]),
    )
    with conn.cursor(row_factory=tuple_row) as cursor:
        frame = pd.DataFrame(cursor.execute(query).fetchall(), columns=chosen, dtype=object)
    codes = _codes(conn, name)
    for column in chosen:
        frame[column] = _typed(frame[column], kinds[column], codes.get(column))
    titles = _titles(conn, name)
    frame.attrs = {
        "mart": name,
        "title": titles.pop("", ""),
        "titles": {column: title for column, title in titles.items() if column in chosen},
        "codes": {column: dict(title) for column, title in codes.items() if column in chosen},
        "publication_id": publication_id,
        "as_of_date": as_of_date,
    }
    return frame


def _is(column: str, value: object, kind: str) -> sql.Composable:
    """Return the condition that a column has a value; `...` stands for any value that is not null."""
    name = sql.Identifier(column)
    if value is ...:
        return sql.SQL("{} is not null").format(name)
    if value is None:
        return sql.SQL("{} is null").format(name)
    values = list(value) if isinstance(value, Collection) and not isinstance(value, str) else [value]
    if kind == "text[]":
        return sql.SQL("{} && {}::text[]").format(name, values)
    if column == "department":
        return sql.SQL("string_to_array({}, '、') && {}::text[]").format(name, values)
    return sql.SQL("{} = any ({})").format(name, values)


def _typed(values: pd.Series[Any], kind: str, titles: Mapping[str, str] | None) -> pd.Series[Any]:
    if titles is not None:
        others = sorted({value for value in values.dropna()} - titles.keys())
        return values.astype(pd.CategoricalDtype([*titles, *others], ordered=True))
    return values.astype(DTYPES[kind]) if kind in DTYPES else values  # type: ignore[call-overload]


def _kinds(conn: psycopg.Connection[Any], name: str) -> dict[str, str]:
    """Return the type of each column of a mart. Raises LookupError when there is no such mart."""
    types = conn.execute(
        """
        select attname, format_type(atttypid, null) from pg_attribute
        where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped order by attnum
        """,
        [f"{SCHEMA}.{name}"],
    ).fetchall()
    if not types:
        raise LookupError(f"there is no mart {SCHEMA}.{name}")
    return dict(types)


def _titles(conn: psycopg.Connection[Any], name: str) -> dict[str, str]:
    """Return the Chinese title of each column, which is the part of its comment before the colon."""
    titles = conn.execute(
        """
        select attname, split_part(col_description(attrelid, attnum), ': ', 1) from pg_attribute
        where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped order by attnum
        """,
        [f"{SCHEMA}.{name}"],
    ).fetchall()
    return {column: title for column, title in titles if title}


def _codes(conn: psycopg.Connection[Any], name: str) -> dict[str, dict[str, str]]:
    """Return the title of each code by column, in the codes' order."""
    codes: dict[str, dict[str, str]] = {}
    for column, code, title in conn.execute(
        """
        select column_name, code, title from reporting.code_label where table_name = %s
        order by column_name, sort_order, code
        """,
        [name],
    ):
        codes.setdefault(column, {})[code] = title
    return codes
