"""This module lets each of dbt's threads keep its connection to PostgreSQL from model to model.

dbt's own manager closes the connection after each model. Opening another one, with empty caches, cost a quarter of the
processor time of a small town's build (docs/decisions/rebuilt.md). dbt's own manager also writes PostgreSQL's whole error
into the log, with the row of a broken constraint or the cell that is no number. `python -m yingjian.modelling.connections`
is dbt's command line with these connections.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dbt.adapters.contracts.connection import ConnectionState
from dbt.adapters.postgres.connections import PostgresConnectionManager, PostgresCredentials
from dbt.adapters.postgres.impl import PostgresAdapter
from psycopg2 import DatabaseError, DataError, Error


class KeptConnections(PostgresConnectionManager):
    """This manager ends a model's transaction where dbt's own closes the connection; dbt closes all at the end."""

    @contextmanager
    def exception_handler(self, sql: str) -> Iterator[None]:
        """Let dbt tell an error of the database without what it quotes of a row."""
        with super().exception_handler(sql):
            try:
                yield
            except DatabaseError as error:
                raise DatabaseError(_without_values(error)) from None

    def release(self) -> None:
        """Roll back what the model left open; close the connection when the server has ended it."""
        connection = self.get_if_exists()
        if connection is None or connection.state != ConnectionState.OPEN:
            return
        try:
            connection.handle.rollback()
            connection.transaction_open = False
        except Error:
            super().release()


def _without_values(error: DatabaseError) -> str:
    """Return the text of an error up to its details; of an error in the data, whose text quotes a cell, its kind."""
    if isinstance(error, DataError):
        return f"{type(error).__name__} ({error.pgcode}): the text is not shown, because it quotes a cell"
    return str(error).partition("\nDETAIL:")[0].partition("\nCONTEXT:")[0]


def keep_connections() -> None:
    """Let adapters that dbt makes from now on, in this process, keep their connections.

    dbt also compares these parts of the connection with those by which it parsed the project, and parses the whole project anew
    when one differs. Models may depend on the database's and the schema's names, and on nothing else of the connection.
    """
    PostgresAdapter.ConnectionManager = KeptConnections
    PostgresCredentials._connection_keys = lambda credentials: ("database", "schema")  # type: ignore[method-assign]


if __name__ == "__main__":
    from dbt.cli.main import cli

    keep_connections()
    cli()
