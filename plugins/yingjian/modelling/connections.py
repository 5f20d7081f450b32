"""Keeps each dbt thread's PostgreSQL connection open from model to model.

dbt's own manager closes the connection after each model. Reconnecting with cold caches took a quarter of the CPU time of a
small town's build (docs/decisions/rebuilt.md). dbt's manager also logs PostgreSQL's full error, with the row that violates a
constraint or the cell that is no number; this one does not. `python -m yingjian.modelling.connections` is dbt's command line
with these connections.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dbt.adapters.contracts.connection import ConnectionState
from dbt.adapters.postgres.connections import PostgresConnectionManager, PostgresCredentials
from dbt.adapters.postgres.impl import PostgresAdapter
from psycopg2 import DatabaseError, DataError, Error

from yingjian.processes import collect_garbage_rarely, leave


class KeptConnections(PostgresConnectionManager):
    """Connection manager that ends a model's transaction instead of closing the connection; dbt closes all at exit."""

    @contextmanager
    def exception_handler(self, sql: str) -> Iterator[None]:
        """Strip quoted row values from a database error before dbt logs it."""
        with super().exception_handler(sql):
            try:
                yield
            except DatabaseError as error:
                raise DatabaseError(_without_values(error)) from None

    def release(self) -> None:
        """Roll back any open transaction; close the connection if the server has dropped it."""
        connection = self.get_if_exists()
        if connection is None or connection.state != ConnectionState.OPEN:
            return
        try:
            connection.handle.rollback()
            connection.transaction_open = False
        except Error:
            super().release()


def _without_values(error: DatabaseError) -> str:
    """Return an error's text without its details; for a data error, whose text quotes a cell, only its kind."""
    if isinstance(error, DataError):
        return f"{type(error).__name__} ({error.pgcode}): the text is not shown, because it quotes a cell"
    return str(error).partition("\nDETAIL:")[0].partition("\nCONTEXT:")[0]


def keep_connections() -> None:
    """Make dbt adapters that are created from now on in this process keep their connections.

    dbt also stores these connection keys with the parsed project and re-parses everything if one of them differs. Models may
    depend on the names of database and schema, and on nothing else of the connection.
    """
    PostgresAdapter.ConnectionManager = KeptConnections
    PostgresCredentials._connection_keys = lambda credentials: ("database", "schema")  # type: ignore[method-assign]


if __name__ == "__main__":
    collect_garbage_rarely()
    from dbt.cli.main import cli

    keep_connections()
    try:
        cli()
    except SystemExit as end:
        leave(end.code)
