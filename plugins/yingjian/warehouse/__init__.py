"""The warehouse: where it is, how to connect to it, and the tables that are not dbt's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, unquote, urlparse

import psycopg

from yingjian.settings import Settings, SetupError

SQL_FOLDER = Path(__file__).parent / "sql"
OWNER = "owner"


def ensure_running(settings: Settings) -> None:
    """Start the embedded server if the warehouse is embedded and does not answer."""
    if settings.warehouse is None:
        from yingjian.warehouse.embedded import EmbeddedPostgres

        EmbeddedPostgres(settings).ensure_running()


def uri(settings: Settings, role: str = OWNER) -> str:
    """Connection URI of a role (`owner`, `bi_reader`, …) for psql, a BI tool or a driver.

    Raises SetupError for a role whose password only the operator of an external warehouse knows.
    """
    if settings.warehouse is None:
        from yingjian.warehouse.embedded import EmbeddedPostgres

        return EmbeddedPostgres(settings).uri("yingjian_owner" if role == OWNER else role)
    if role != OWNER:
        raise SetupError(f"the password of {role} is not known here: ask whoever runs the warehouse")
    return settings.warehouse


def airflow_uri(settings: Settings) -> str:
    """Connection URI of Airflow's metadata: database `airflow` on the warehouse's server."""
    if settings.warehouse is None:
        from yingjian.warehouse.embedded import EmbeddedPostgres

        return EmbeddedPostgres(settings).uri("airflow", "airflow")
    parsed = urlparse(settings.warehouse)
    return parsed._replace(path="/airflow").geturl()


def dbt_environment(settings: Settings) -> dict[str, str]:
    """What dbt_project/profiles.yml reads from the environment."""
    parsed = urlparse(uri(settings))
    return {
        "YINGJIAN_PG_HOST": parsed.hostname or "127.0.0.1",
        "YINGJIAN_PG_PORT": str(parsed.port or 5432),
        "YINGJIAN_PG_USER": unquote(parsed.username or ""),
        "YINGJIAN_PG_PASSWORD": unquote(parsed.password or ""),
        "YINGJIAN_PG_DBNAME": parsed.path.lstrip("/"),
    }


def connect(settings: Settings, role: str = OWNER) -> psycopg.Connection:
    """A connection as `role`, in Asia/Shanghai; not in autocommit."""
    return psycopg.connect(uri(settings, role), options=f"-c {quote('TimeZone')}=Asia/Shanghai")


def connector(settings: Settings, role: str = OWNER) -> Callable[[], psycopg.Connection]:
    """A function that opens connections, for code that opens them when it needs them."""
    return lambda: connect(settings, role)


def migrate(settings: Settings) -> None:
    """Make every schema, table and view that is not dbt's. Idempotent; one transaction under a lock."""
    from yingjian.landing import staging_ddl

    with connect(settings) as conn:
        conn.execute("select pg_advisory_xact_lock(hashtext('yingjian.migrate'))")
        conn.execute(staging_ddl())  # type: ignore[arg-type]
        for path in sorted(SQL_FOLDER.glob("*.sql")):
            conn.execute(path.read_text(encoding="utf-8"))  # type: ignore[arg-type]
