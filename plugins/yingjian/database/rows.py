"""This module reads the rows of a query as dataclasses or dictionaries."""

from typing import Any, TypeVar

import psycopg
from psycopg import sql
from psycopg.rows import class_row, dict_row

Row = TypeVar("Row")


def rows(conn: psycopg.Connection[Any], kind: type[Row], query: str, **params: Any) -> list[Row]:
    """Return each row as an instance of the dataclass `kind`, whose fields are the query's columns."""
    with conn.cursor(row_factory=class_row(kind)) as cursor:
        return cursor.execute(query.encode(), params).fetchall()


def records(conn: psycopg.Connection[Any], query: str | sql.Composed, **params: Any) -> list[dict[str, Any]]:
    """Return each row as a dictionary from column name to value."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query.encode() if isinstance(query, str) else query, params).fetchall()
