"""A warehouse elsewhere: what its URI says of TLS holds for every connection, dbt's and Airflow's too."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from yingjian.database import warehouse
from yingjian.database.embedded import EmbeddedPostgres
from yingjian.modelling import dbt
from yingjian.settings import Settings


@pytest.fixture
def settings(bare_server: Settings) -> Iterator[Settings]:
    """The embedded server, which knows no TLS, as one elsewhere that may be reached by TLS only."""
    server = EmbeddedPostgres(bare_server)
    uri = f"{server.uri('yingjian_owner')}?sslmode=require&sslrootcert=/etc/ssl/town.pem"
    yield Settings.load(
        {"YINGJIAN_HOME": str(bare_server.home), "YINGJIAN_WAREHOUSE": uri, "YINGJIAN_PERSON_KEY": "secret"}
    )


def test_nothing_connects_without_tls_where_it_is_required(bare_server: Settings, settings: Settings) -> None:
    with psycopg.connect(EmbeddedPostgres(bare_server).uri("postgres", "postgres"), autocommit=True) as conn:
        conn.execute(f"alter role transformer login password '{warehouse.password(settings, 'transformer')}'")  # type: ignore[arg-type]
        conn.execute("grant connect on database yingjian to transformer")
    for uri in (warehouse.uri(settings), warehouse.uri(settings, "loader"), warehouse.airflow_uri(settings)):
        with pytest.raises(psycopg.OperationalError, match="server does not support SSL"):
            psycopg.connect(uri)
    assert not dbt._run(settings, ["--quiet", "debug", "--connection"]).success
    assert warehouse.dbt_environment(settings)["YINGJIAN_PG_SSLROOTCERT"] == "/etc/ssl/town.pem"

    assert settings.warehouse
    open_to_all = Settings.load(
        {
            "YINGJIAN_HOME": str(settings.home), "YINGJIAN_PERSON_KEY": "secret",
            "YINGJIAN_WAREHOUSE": settings.warehouse.replace("sslmode=require", "sslmode=prefer"),
        }
    )  # fmt: skip
    assert dbt._run(open_to_all, ["--quiet", "debug", "--connection"]).success
