"""Temporary schemas in which one process builds models without touching the published ones."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from yingjian.database import warehouse
from yingjian.settings import Settings


@contextmanager
def own_schemas(settings: Settings, purpose: str, names: Sequence[str]) -> Iterator[list[str]]:
    """Create a schema dev_<purpose>_<pid>_<name>, owned by the transformer, for each name; yield them, and drop them at the
    end.

    An advisory lock marks a schema as in use. Unlocked schemas were left by killed processes and are dropped first.
    """
    schemas = [f"dev_{purpose}_{os.getpid()}_{name}" for name in names]
    with warehouse.connect(settings) as conn:
        conn.autocommit = True
        schemas_left = conn.execute(
            "select nspname from pg_namespace where nspname ~ %s", (rf"^dev_{purpose}_[0-9]+_[a-z0-9]+$",)
        ).fetchall()
        for (schema,) in schemas_left:
            if conn.execute("select pg_try_advisory_lock(hashtext(%s))", (schema,)).fetchone() == (True,):
                _drop(conn, schema)
                conn.execute("select pg_advisory_unlock(hashtext(%s))", (schema,))
        for schema in schemas:
            conn.execute("select pg_advisory_lock(hashtext(%s))", (schema,))
            conn.execute(sql.SQL("create schema {} authorization transformer").format(sql.Identifier(schema)))
        try:
            yield schemas
        finally:
            for schema in reversed(schemas):
                _drop(conn, schema)


def _drop(conn: psycopg.Connection[Any], schema: str) -> None:
    conn.execute(sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(schema)))
