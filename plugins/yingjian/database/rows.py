"""Rows of a query as dataclasses or dictionaries."""

from collections.abc import Sequence
from typing import Any, TypeVar

import psycopg
from psycopg import sql
from psycopg.rows import class_row, dict_row

Row = TypeVar("Row")


def rows(conn: psycopg.Connection[Any], kind: type[Row], query: str, **params: Any) -> list[Row]:
    """Each row as a `kind`; the query's columns are its fields."""
    with conn.cursor(row_factory=class_row(kind)) as cursor:
        return cursor.execute(query.encode(), params).fetchall()


def records(conn: psycopg.Connection[Any], query: str | sql.Composed, **params: Any) -> list[dict[str, Any]]:
    """Each row as column name to value."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query.encode() if isinstance(query, str) else query, params).fetchall()


def leading(
    conn: psycopg.Connection[Any], query: str, *, order: str, limit: int, sums: Sequence[str], **params: Any
) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    """The first `limit` rows of a query, and what the others add up to: their number as `left_out`, and `sums`.

    A town may have thousands of places: they are added up where they are. None where nothing is left out.
    """
    placed = f"""
        with found as ({query}),
        placed as (select *, row_number() over (order by {order}) as list_position from found)
    """
    first = records(
        conn,
        f"{placed} select * from placed where list_position <= %(limit)s order by list_position",
        limit=limit,
        **params,
    )
    if len(first) < limit:
        return first, None
    added = "".join(f", sum({name})::bigint as {name}" for name in sums)
    (rest,) = records(
        conn,
        f"{placed} select count(*) as left_out{added} from placed where list_position > %(limit)s",
        limit=limit,
        **params,
    )
    return first, rest if rest["left_out"] else None
