"""The commands `migrate` and `warehouse …` manage the warehouse's server and schema."""

from __future__ import annotations

from typing import Annotated

import typer

from yingjian.cli import terminal
from yingjian.settings import Settings, SetupError, variables

app = terminal.group("the warehouse")
warehouse_group = terminal.group("the warehouse's server", "warehouse")
app.add_typer(warehouse_group)


@warehouse_group.command("start", epilog=terminal.example("yingjian warehouse start"))
def start() -> None:
    """Start the embedded server, and migrate."""
    migrate()


@app.command("migrate", epilog=terminal.example("yingjian migrate"))
def migrate() -> None:
    """Bring the warehouse's tables, views and rights to this version."""
    from yingjian.database import warehouse
    from yingjian.operations import migration

    settings = Settings.load()
    warehouse.ensure_running(settings)
    migration.migrate(settings)


@warehouse_group.command("uri", epilog=terminal.example("yingjian warehouse uri --role bi_reader"))
def uri(
    role: Annotated[str, typer.Option("--role", help="a role, such as bi_reader; default: the owner")] = "owner",
) -> None:
    """Print the connection URI for psql, a BI tool or a driver."""
    from yingjian.database import warehouse
    from yingjian.operations import migration

    settings = Settings.load()
    warehouse.ensure_running(settings)
    connection_uri = warehouse.uri(settings, role)
    if role != warehouse.OWNER:
        with warehouse.connect(settings) as conn:
            migration.require_migrated(conn)
    print(connection_uri)


@warehouse_group.command("bootstrap", epilog=terminal.example("yingjian warehouse bootstrap"))
def bootstrap() -> None:
    """Make the owner, Airflow's role and the databases, once per server, as the superuser of YINGJIAN_SUPERUSER."""
    from urllib.parse import urlparse

    import psycopg

    from yingjian.database import bootstrap as first
    from yingjian.database import server, warehouse
    from yingjian.operations import migration

    settings, superuser = Settings.load(), variables().superuser
    if settings.warehouse is None or not superuser:
        raise SetupError(
            "bootstrap sets up an external server: set YINGJIAN_WAREHOUSE to the owner's URI and YINGJIAN_SUPERUSER to a"
            " superuser's URI"
        )
    named = urlparse(settings.warehouse)
    if (named.scheme, named.username, named.path) != ("postgresql", first.OWNER_ROLE, "/yingjian"):
        raise SetupError(
            f"bootstrap creates the role {first.OWNER_ROLE} and the database yingjian: YINGJIAN_WAREHOUSE must name both"
        )
    superuser = warehouse.with_password(settings, superuser)
    server.require(superuser, "YINGJIAN_SUPERUSER")
    with psycopg.connect(superuser, autocommit=True) as conn:
        first.bootstrap(conn, warehouse.owner_password(settings), warehouse.password(settings, first.AIRFLOW_ROLE))
    migration.migrate(settings)
    print("created the owner, Airflow's role and both databases; the superuser is no longer needed")


@warehouse_group.command("stop", epilog=terminal.example("yingjian warehouse stop"))
def stop() -> None:
    """Stop the embedded server."""
    from yingjian.database.embedded import EmbeddedPostgres

    EmbeddedPostgres(Settings.load()).stop()
