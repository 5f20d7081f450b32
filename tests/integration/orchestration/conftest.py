"""A home whose tables and whose Airflow metadata are real and empty, and servers that take alerts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.conftest import running_copy
from tests.integration.delivery.conftest import authority, mail_server, robot_server, tls  # noqa: F401
from tests.servers import Handler, serve
from yingjian.database import warehouse
from yingjian.settings import Settings


@pytest.fixture(scope="session")
def watched(empty_home: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A running copy of the empty home; tests leave nothing in it."""
    with running_copy(empty_home, tmp_path_factory.mktemp("watched")) as settings:
        yield settings


@pytest.fixture
def airflow(watched: Settings) -> Iterator[psycopg.Connection]:
    """The fixture connects to Airflow's metadata, without any run."""
    with psycopg.connect(warehouse.airflow_uri(watched), autocommit=True) as connection:
        connection.execute("truncate dag_run, job, import_error cascade")
        yield connection


@pytest.fixture
def conn(watched: Settings) -> Iterator[psycopg.Connection]:
    """A connection as the owner, with nothing landed, built, published, saved or told."""
    with warehouse.connect(watched) as connection:
        connection.autocommit = True
        connection.execute(
            "truncate operations.notice, operations.backup, publishing.build, publishing.question, quality.landed_file,"
            " published.publication cascade"
        )
        yield connection


@dataclass
class Hook:
    """A webhook keeps what it got: JSON of each POST, path of each GET; `status` is what it answers."""

    url: str = ""
    posted: list[dict[str, Any]] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    status: int = 200


@pytest.fixture
def hook() -> Iterator[Hook]:
    """An HTTP server that takes alerts and heartbeats."""
    state = Hook()

    class Service(Handler):
        def do_POST(self) -> None:
            state.posted.append(self.body())
            self.answer(status=state.status)

        def do_GET(self) -> None:
            state.fetched.append(self.path)
            self.answer(status=state.status)

    server = serve(Service)
    state.url = f"http://127.0.0.1:{server.server_port}"
    yield state
    server.shutdown()
    server.server_close()


@pytest.fixture
def told(watched: Settings, hook: Hook, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    """The home has a webhook for alerts, as settings and in the environment."""
    monkeypatch.setenv("YINGJIAN_HOME", str(watched.home))
    monkeypatch.setenv("YINGJIAN_ALERT_WEBHOOK", f"{hook.url}/alert?token=secret")
    monkeypatch.setenv("YINGJIAN_HEARTBEAT_URL", f"{hook.url}/beat")
    monkeypatch.setenv("YINGJIAN_URL", "https://yingjian.example")
    alerts = replace(watched.alerts, webhook=f"{hook.url}/alert?token=secret", heartbeat=f"{hook.url}/beat")
    return replace(watched, alerts=alerts, url="https://yingjian.example")
