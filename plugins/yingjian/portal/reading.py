"""This module opens the warehouse for a reader: only the reader's part, read-only, for a bounded time.

It records looks in the trail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg

from yingjian.database import warehouse
from yingjian.people.audience import Audience
from yingjian.portal.readers import Need, Reader, settings
from yingjian.privacy import audit_trail
from yingjian.reports.content.audiences import narrowed

Conn = psycopg.Connection[Any]
Found = TypeVar("Found")

ROLE = "reporter"
STATEMENT_SECONDS = 20


@contextmanager
def reading(audience: Audience) -> Iterator[Conn]:
    """Open a read-only transaction in which unqualified mart names show only the audience's rows."""
    with warehouse.connect(settings(), ROLE) as conn, _bounded(conn, audience):
        yield conn


def looked(
    reader: Reader,
    action: str,
    read: Callable[[Conn], Found],
    object: Callable[[Found], str],
    reason: str | None = None,
    details: Callable[[Found], dict[str, Any]] = lambda content: {},
) -> Found:
    """Return the result of `read` in the reader's part, after the trail has recorded that this reader looked.

    Both happen in one transaction: if the event cannot be written, nothing is returned. `object` and `details` name no
    person.
    """
    with warehouse.connect(settings(), ROLE) as conn, conn.transaction():
        with _bounded(conn, reader.audience):
            content = read(conn)
        audit_trail.record(conn, reader.login, action, object(content), reason, **details(content))
    return content


def refusal(reader: Reader, need: Need, object: str | None) -> None:
    """Record that a reader requested something without the right to it."""
    with warehouse.connect(settings(), ROLE) as conn:
        audit_trail.record(conn, reader.login, f"{need.value}_refused", object or need.value)


def is_readable(conn: Conn, schema: str, table: str) -> bool:
    """Return whether such a table exists and this connection may read it."""
    relation = conn.execute(
        """
        select from pg_class as relation inner join pg_namespace as schema on schema.oid = relation.relnamespace
        where schema.nspname = %s and relation.relname = %s
        and has_schema_privilege(schema.oid, 'usage') and has_table_privilege(relation.oid, 'select')
        """,
        (schema, table),
    )
    return relation.fetchone() is not None


@contextmanager
def _bounded(conn: Conn, audience: Audience) -> Iterator[None]:
    with narrowed(conn, audience):
        conn.execute("set local transaction_read_only = on")
        conn.execute(f"set local statement_timeout = '{STATEMENT_SECONDS}s'")
        yield
