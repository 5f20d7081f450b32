"""This module reads tables and their columns from PostgreSQL's catalog."""

from __future__ import annotations

import psycopg


def exists(conn: psycopg.Connection, schema: str, table: str) -> bool:
    row = conn.execute("select to_regclass(%s) is not null", (f"{schema}.{table}",)).fetchone()
    return bool(row and row[0])


def columns_of(conn: psycopg.Connection, schema: str, table: str) -> dict[str, tuple[str, str | None]]:
    """Return column name -> (type, comment) in table order; empty if the table does not exist."""
    return {
        name: (kind, comment)
        for name, kind, comment in conn.execute(
            """
            select attname, format_type(atttypid, atttypmod), col_description(attrelid, attnum)
            from pg_attribute
            where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped
            order by attnum
            """,
            (f"{schema}.{table}",),
        )
    }
