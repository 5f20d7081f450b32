"""This module lets each of dbt's threads keep its connection to PostgreSQL from model to model.

dbt's own manager closes the connection after each model. Opening another one, with empty caches, cost a quarter of the
processor time of a small town's build (docs/decisions/rebuilt.md).
"""

from __future__ import annotations

from dbt.adapters.contracts.connection import ConnectionState
from dbt.adapters.postgres.connections import PostgresConnectionManager
from dbt.adapters.postgres.impl import PostgresAdapter
from psycopg2 import Error


class KeptConnections(PostgresConnectionManager):
    """This manager ends a model's transaction where dbt's own closes the connection; dbt closes all at the end."""

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


def keep_connections() -> None:
    """Let adapters that dbt makes from now on, in this process, keep their connections."""
    PostgresAdapter.ConnectionManager = KeptConnections
