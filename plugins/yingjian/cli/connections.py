"""This module opens the commands' connection to the warehouse."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from yingjian.settings import Settings

if TYPE_CHECKING:
    import psycopg


@contextmanager
def connection() -> Iterator[psycopg.Connection]:
    """Yield a connection to this home's warehouse, started if necessary. Raises SetupError if it has another
    version's schema.
    """
    from yingjian.database import warehouse
    from yingjian.operations import migration

    settings = Settings.load()
    warehouse.ensure_running(settings)
    with warehouse.connect(settings) as conn:
        migration.require_migrated(conn)
        yield conn
