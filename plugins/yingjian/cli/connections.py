"""The connection to the warehouse that commands work with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from yingjian.settings import Settings

if TYPE_CHECKING:
    import psycopg


@contextmanager
def connection() -> Iterator[psycopg.Connection]:
    """The warehouse of this home, started if need be. Raises SetupError when it is of another version."""
    from yingjian.database import warehouse
    from yingjian.operations import migration

    settings = Settings.load()
    warehouse.ensure_running(settings)
    with warehouse.connect(settings) as conn:
        migration.require_migrated(conn)
        yield conn
